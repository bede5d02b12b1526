"""A personal test set on disk: takes by person, and the two tables that tell what they show.

Each person's folder holds the videos and `record.json`, which alone is the record; `manifest.csv`
and `truth.csv` above are made from all of those anew after each take.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emotemporal.live.prompts import Prompt
from emotemporal.storage import write_atomically, write_json

FORMAT_VERSION = 1
RECORD, MANIFEST, TRUTH = "record.json", "manifest.csv", "truth.csv"
MANIFEST_COLUMNS = ("path", "label", "subject", "start", "end", "take")
TRUTH_COLUMNS = ("source", "start_s", "end_s", "emotion")


class OwnSet:
    """One person's part of a test set; opened again, it goes on where it stopped.

    Args:
        root: The set's folder; people share it.
        subject: Whose part; a folder's name.
        prompts: What is to be recorded.
        consent: The sentence that was agreed to.

    Raises:
        ValueError: This person's part was begun with other prompts.
    """

    def __init__(self, root: Path, subject: str, prompts: Sequence[Prompt], consent: str) -> None:
        self.root, self.subject = root, subject
        self._folder = root / subject
        plan = [{"take": p.take, **asdict(p.times)} for p in prompts]
        self._record: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "subject": subject,
            "consent": consent,
            "plan": plan,
            "takes": {},
        }
        earlier = _read(self._folder / RECORD)
        if earlier is not None:
            _refuse_another(self._folder, earlier, plan)
            self._record = earlier
        # A kill between record and tables leaves tables of one take less.
        write_json(self._folder / RECORD, self._record)
        self._write_tables()

    def has(self, prompt: Prompt) -> bool:
        """Tell whether a take is recorded already."""
        return prompt.take in self._record["takes"] and self.path(prompt).is_file()

    def path(self, prompt: Prompt) -> Path:
        """Return where a take's video belongs."""
        return self._folder / f"{prompt.take}.mp4"

    def add(self, prompt: Prompt) -> None:
        """Note that a take's video is whole under its name."""
        held = prompt.held()
        self._record["takes"][prompt.take] = {
            "held": [held.start_s, held.end_s, held.emotion.value],
            "truth": [[t.start_s, t.end_s, t.emotion.value] for t in prompt.truth()],
        }
        write_json(self._folder / RECORD, self._record)
        self._write_tables()

    def _write_tables(self) -> None:
        manifest: list[Sequence[object]] = []
        truth: list[Sequence[object]] = []
        for path in sorted(self.root.glob(f"*/{RECORD}")):
            record = _read(path) or {}
            subject = path.parent.name
            for take, told in sorted(record["takes"].items()):
                source = f"{subject}/{take}.mp4"
                start_s, end_s, emotion = told["held"]
                manifest.append([source, emotion, subject, start_s, end_s, f"{subject}_{take}"])
                truth += [[source, *row] for row in told["truth"]]
        write_atomically(self.root / TRUTH, _as_csv(TRUTH_COLUMNS, truth))
        write_atomically(self.root / MANIFEST, _as_csv(MANIFEST_COLUMNS, manifest))


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if record.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {record.get('format_version')}, this program reads "
            f"{FORMAT_VERSION}; record into a new folder"
        )
    return record


def _refuse_another(
    folder: Path, earlier: Mapping[str, Any], plan: Sequence[Mapping[str, Any]]
) -> None:
    if earlier["plan"] != plan:
        raise ValueError(
            f"{folder} was begun with other prompts, rounds, times or another seed; give the same, "
            "or another --subject or --out"
        )


def _as_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()
