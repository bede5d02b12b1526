"""ELAN's annotation files (`.eaf`, format 3.0): two tiers a face, beside the video.

Source: Max Planck Institute for Psycholinguistics, The Language Archive: ELAN Annotation Format,
EAF version 3.0 (schema EAFv3.0.xsd).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from mimetypes import guess_type
from pathlib import Path
from xml.etree import ElementTree as ET

from emotemporal import __version__
from emotemporal.labels import LabelSpace
from emotemporal.live.sinks.files import growing_path
from emotemporal.live.sinks.places import as_uri, relative_url
from emotemporal.live.sinks.segments import Segment, Segments
from emotemporal.timing import date_and_time

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_STATES = ("warm-up", "uncertain")
_KINDS = {"label": "expression", "state": "state"}


@contextmanager
def eaf_file(
    path: Path, labels: LabelSpace, period_s: float, video: Path | None
) -> Iterator[Segments]:
    """Collect segments; the file is written and has its name when it is left well.

    Args:
        path: Of the `.eaf`.
        labels: What can be shown: the controlled vocabulary.
        period_s: Of the model's clock.
        video: What the annotations are of; where it lies is written down, from the root and from
            the `.eaf`.
    """
    with growing_path(path) as part:
        part.touch()  # a folder that cannot be written to is told at the start, not the end
        segments = Segments(period_s)
        yield segments
        tree = ET.ElementTree(_document(segments.tiers, labels, video, path.parent))
        ET.indent(tree)
        tree.write(part, encoding="UTF-8", xml_declaration=True)


def _document(
    tiers: Mapping[tuple[int, str], Sequence[Segment]],
    labels: LabelSpace,
    video: Path | None,
    folder: Path,
) -> ET.Element:
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"emotemporal {__version__}",
            "DATE": date_and_time().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    spans = {key: [_to_ms(segment) for segment in row] for key, row in tiers.items()}
    times_ms = sorted({ms for row in spans.values() for span in row for ms in span})
    slots = {ms: f"ts{i}" for i, ms in enumerate(times_ms, start=1)}
    _add_header(root, video, folder, sum(map(len, spans.values())))
    order = ET.SubElement(root, "TIME_ORDER")
    for ms, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(ms)})
    numbers = itertools.count(1)
    for key, row in sorted(tiers.items()):
        _add_tier(root, key, row, slots, numbers)
    _add_vocabularies(root, labels)
    return root


def _add_header(root: ET.Element, video: Path | None, folder: Path, count: int) -> None:
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if video is not None:
        media = {
            "MEDIA_URL": as_uri(video),
            "MIME_TYPE": guess_type(video.name)[0] or "video/*",
        }
        relative = relative_url(video, folder)
        if relative is not None:
            media["RELATIVE_MEDIA_URL"] = f"./{relative}"
        ET.SubElement(header, "MEDIA_DESCRIPTOR", media)
    last = ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    last.text = str(count)


def _add_tier(
    root: ET.Element,
    key: tuple[int, str],
    segments: Sequence[Segment],
    slots: Mapping[int, str],
    numbers: Iterator[int],
) -> None:
    face, kind = key
    name = {"TIER_ID": f"face {face} {_KINDS[kind]}", "PARTICIPANT": f"face {face}"}
    tier = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": _KINDS[kind], **name})
    for segment in segments:
        start_ms, end_ms = _to_ms(segment)
        outer = ET.SubElement(tier, "ANNOTATION")
        refs = {"TIME_SLOT_REF1": slots[start_ms], "TIME_SLOT_REF2": slots[end_ms]}
        inner = ET.SubElement(
            outer, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{next(numbers)}", **refs}
        )
        ET.SubElement(inner, "ANNOTATION_VALUE").text = segment.value


def _add_vocabularies(root: ET.Element, labels: LabelSpace) -> None:
    vocabularies = {"expression": labels.names, "state": _STATES}
    for name in vocabularies:
        kind = {"LINGUISTIC_TYPE_ID": name, "TIME_ALIGNABLE": "true"}
        kind |= {"GRAPHIC_REFERENCES": "false", "CONTROLLED_VOCABULARY_REF": name}
        ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    language = {"LANG_ID": "eng", "LANG_LABEL": "English (eng)"}
    ET.SubElement(root, "LANGUAGE", language)
    for name, values in vocabularies.items():
        vocabulary = ET.SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": name})
        for value in values:
            entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", {"CVE_ID": f"{name}-{value}"})
            ET.SubElement(entry, "CVE_VALUE", {"LANG_REF": "eng"}).text = value


def _to_ms(segment: Segment) -> tuple[int, int]:
    """Return start and end in whole milliseconds, the end at least one later."""
    start_ms = round(1000 * segment.start_s)
    return start_ms, max(start_ms + 1, round(1000 * segment.end_s))
