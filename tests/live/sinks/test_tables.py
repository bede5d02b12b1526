from __future__ import annotations

import csv
import io
import json
import signal
import tracemalloc
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.live.sinks.formats import TableFormat, open_tables
from emotemporal.live.sinks.page import PageAbout
from emotemporal.live.sinks.segments import Segment, Segments
from emotemporal.live.sinks.tables import CsvTable, columns
from emotemporal.types import Box

PERIOD_S = 0.1
SHARES = np.array([0.3, 0.25, 0.2, 0.1, 0.08, 0.04, 0.03])
SAID = Judgement(
    0.0, 0, Box(1.25, 2, 30, 40, 0.9), SHARES[::-1], SHARES, None, False, False, SAVEE_7
)


def said(time_s, track_id=0, shown=Emotion.FEAR, is_warm_up=False, is_uncertain=False):
    return replace(
        SAID,
        time_s=time_s,
        track_id=track_id,
        shown=shown,
        is_warm_up=is_warm_up,
        is_uncertain=is_uncertain,
    )


STREAM = [
    said(0.0, shown=None, is_warm_up=True),
    said(0.1, shown=None, is_uncertain=True),
    said(0.2),
    said(0.2, track_id=7, shown=Emotion.ANGER),
    said(0.3, is_uncertain=True),
    said(0.4, shown=Emotion.ANGER),
    said(1.0, shown=Emotion.ANGER),
]


def write_all(folder, judgements=STREAM, video=None, name="film"):
    about = PageAbout(f"{name}.mp4", SAVEE_7, Caution(), PERIOD_S, video, "a model")
    paths = {kind: folder / f"{name}.{kind}" for kind in get_args(TableFormat)}
    with ExitStack() as stack:
        for table in open_tables(paths, about, stack):
            for judgement in judgements:
                table.write([judgement])
        assert not any(path.exists() for path in paths.values())
    return paths


def test_all_tables_say_the_same(tmp_path):
    paths = write_all(tmp_path)
    of_csv = pd.read_csv(paths["csv"], keep_default_na=False)
    of_lines = pd.read_json(paths["jsonl"], lines=True, dtype=False)
    of_parquet = pd.read_parquet(paths["parquet"])
    assert list(of_csv) == list(of_lines) == list(of_parquet) == columns(SAVEE_7)
    numbers = [name for name in of_csv if name != "shown"]
    for other in (of_lines, of_parquet):
        np.testing.assert_allclose(
            of_csv[numbers].astype(float), other[numbers].astype(float), rtol=0, atol=1e-12
        )
        shown = [name if isinstance(name, str) else "" for name in other["shown"]]
        assert shown == of_csv["shown"].tolist()
    assert json.loads(paths["jsonl"].read_text().splitlines()[0])["is_warm_up"] is True


def test_parquet_has_its_units_and_is_written_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("emotemporal.live.sinks.tables._ROWS_A_GROUP", 3)
    file = pq.ParquetFile(write_all(tmp_path)["parquet"])
    assert file.metadata.num_rows == len(STREAM)
    assert file.metadata.num_row_groups == 3
    assert file.schema_arrow.field("time_s").metadata == {b"unit": b"seconds from the first frame"}


def test_tables_of_nobody_are_whole_too(tmp_path):
    paths = write_all(tmp_path, judgements=[])
    assert len(pd.read_csv(paths["csv"])) == len(pd.read_parquet(paths["parquet"])) == 0
    assert paths["jsonl"].read_text() == ""
    check_eaf(paths["eaf"])


def test_left_with_an_error_no_table_has_its_name(tmp_path):
    about = PageAbout("film", SAVEE_7, Caution(), PERIOD_S)
    paths = {kind: tmp_path / f"film.{kind}" for kind in get_args(TableFormat)}
    stack = ExitStack()
    for table in open_tables(paths, about, stack):
        table.write(STREAM)
    assert not stack.__exit__(RuntimeError, RuntimeError(), None)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_several_files_names_the_source():
    out = io.StringIO()
    CsvTable(out, SAVEE_7, has_source=True).write([said(0.1)], "a, b.mp4")
    (row,) = csv.DictReader(out.getvalue().splitlines())
    assert row["source"] == "a, b.mp4"


def test_segments_join_what_stays_the_same_and_end_at_gaps():
    segments = Segments(PERIOD_S)
    segments.write(STREAM)
    assert segments.tiers[0, "label"] == [
        Segment(0.2, pytest.approx(0.4), "fear"),
        Segment(0.4, 0.5, "anger"),
        Segment(1.0, 1.1, "anger"),
    ]
    assert segments.tiers[0, "state"] == [
        Segment(0.0, 0.1, "warm-up"),
        Segment(0.1, pytest.approx(0.2), "uncertain"),
        Segment(0.3, 0.4, "uncertain"),
    ]
    assert segments.tiers[7, "state"] == []


ORDER = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONTROLLED_VOCABULARY"]
"""Of the children of ANNOTATION_DOCUMENT. Source: EAFv3.0.xsd, whose sequence this is in part."""


def check_eaf(path):
    """Hold a file against what EAF 3.0's schema says of the elements that are used here."""
    root = ET.parse(path).getroot()
    assert root.tag == "ANNOTATION_DOCUMENT"
    schema = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
    assert set(root.attrib) == {"AUTHOR", "DATE", "FORMAT", "VERSION", schema}
    assert pd.Timestamp(root.get("DATE")).tzinfo is not None
    tags = [child.tag for child in root]
    assert tags == sorted(tags, key=ORDER.index), "elements stand in the schema's order"
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(set(slots.values()))
    annotations = list(root.iter("ALIGNABLE_ANNOTATION"))
    ids = [*slots, *(a.get("ANNOTATION_ID") for a in annotations)]
    ids += [entry.get("CVE_ID") for entry in root.iter("CV_ENTRY_ML")]
    assert len(set(ids)) == len(ids), "xsd:ID is unique in a document"
    assert all(not name[0].isdigit() and ":" not in name for name in ids), "an xsd:ID is an NCName"
    types = {t.get("LINGUISTIC_TYPE_ID"): t for t in root.iter("LINGUISTIC_TYPE")}
    languages = {t.get("LANG_ID") for t in root.iter("LANGUAGE")}
    assert {v.get("LANG_REF") for v in root.iter("CVE_VALUE")} <= languages
    words = {
        v.get("CV_ID"): {value.text for value in v.iter("CVE_VALUE")}
        for v in root.iter("CONTROLLED_VOCABULARY")
    }
    tiers = list(root.iter("TIER"))
    assert len({tier.get("TIER_ID") for tier in tiers}) == len(tiers)
    for tier in tiers:
        kind = types[tier.get("LINGUISTIC_TYPE_REF")]
        end_ms = 0
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start_ms = slots[annotation.get("TIME_SLOT_REF1")]
            assert end_ms <= start_ms < slots[annotation.get("TIME_SLOT_REF2")]
            end_ms = slots[annotation.get("TIME_SLOT_REF2")]
            value = annotation.find("ANNOTATION_VALUE").text
            assert value in words[kind.get("CONTROLLED_VOCABULARY_REF")]
    return root


def test_annotations_for_elan_follow_its_schema(tmp_path):
    video = tmp_path / "my films" / "scène 1.mp4"
    video.parent.mkdir()
    video.write_bytes(b"")
    root = check_eaf(write_all(tmp_path, video=video)["eaf"])
    names = [tier.get("TIER_ID") for tier in root.iter("TIER")]
    assert names == [f"face {i} {kind}" for i in (0, 7) for kind in ("expression", "state")]
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./my%20films/sc%C3%A8ne%201.mp4"
    assert media.get("MEDIA_URL") == video.resolve().as_uri()
    assert media.get("MIME_TYPE") == "video/mp4"
    first = root.find("TIER/ANNOTATION/ALIGNABLE_ANNOTATION/ANNOTATION_VALUE")
    assert first.text == "fear"


def page_parts(path):
    text = path.read_text(encoding="utf-8")
    about = text.split('id="about-data">')[1].split("</script>")[0]
    rows = text.split('id="rows">')[1].split("</script>")[0]
    return text, json.loads(about), [line.split(",") for line in rows.split()]


def test_the_page_has_every_judgement_and_needs_nothing_else(tmp_path):
    video = tmp_path / "films" / "a b.mp4"
    video.parent.mkdir()
    text, about, rows = page_parts(write_all(tmp_path, video=video)["html"])
    assert about["video"] == "films/a%20b.mp4"
    assert about["names"][1] == "happiness"
    assert len(rows) == len(STREAM)
    assert ",".join(rows[2]) == "0,200,1,2,30,40,4,0,300,250,200,100,80,40,30"
    assert [row[7] for row in rows[:2]] == ["1", "2"], "warming up, uncertain"
    for mark in ("src=", "href=", "@import", "url("):
        assert mark not in text.replace(".src =", ""), "nothing is fetched"


def test_a_name_cannot_end_the_pages_script(tmp_path):
    name = "</script><b>x"
    about = PageAbout(name, SAVEE_7, Caution(), PERIOD_S, Path(f"{name}.mp4"))
    with ExitStack() as stack:
        open_tables({"html": tmp_path / "page.html"}, about, stack)
    _, told, _ = page_parts(tmp_path / "page.html")
    assert told["title"] == name


def peak_bytes(folder, num_rows):
    """Write so many rows to every table; return the most memory held for it."""
    about = PageAbout("film", SAVEE_7, Caution(), PERIOD_S)
    paths = {kind: folder / f"{num_rows}.{kind}" for kind in get_args(TableFormat)}
    tracemalloc.start()
    with ExitStack() as stack:
        tables = open_tables(paths, about, stack)
        for i in range(num_rows):
            for table in tables:
                table.write([replace(SAID, time_s=i / 10, shown=Emotion.FEAR)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("emotemporal.live.sinks.tables._ROWS_A_GROUP", 50)
    peak_bytes(tmp_path, 10)  # what is loaded once
    few, many = peak_bytes(tmp_path, 100), peak_bytes(tmp_path, 500)
    assert many < few + 100_000, "400 rows more, kept, would be 400 kB"


def test_asked_to_stop_live_finishes_every_table(tiny_checkpoint, tiny_scene, tmp_path):
    files = {kind: str(tmp_path / f"live.{kind}") for kind in get_args(TableFormat)}
    config = LiveConfig(
        str(tiny_scene), str(tiny_checkpoint), detector=DetectorConfig("haar"), window="no", **files
    )
    ticks = iter(range(10_000))

    def clock():
        if next(ticks) == 60:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    summary = run_live(config, clock)
    assert summary.was_stopped
    assert len(pd.read_csv(files["csv"])) == summary.num_ticks > 0
    assert len(pd.read_parquet(files["parquet"])) == summary.num_ticks
    assert len(page_parts(tmp_path / "live.html")[2]) == summary.num_ticks
    check_eaf(tmp_path / "live.eaf")
