import json
import logging
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import numpy as np
from wandb.proto import wandb_internal_pb2

from emotemporal.labels import SAVEE_7
from emotemporal.storage import read_jsonl, write_atomically
from emotemporal.train.log import NoLogger, RunLog, TrackingConfig, build_logger
from emotemporal.train.state import Progress
from emotemporal.types import ClipPrediction
from tests.fakes import MemoryLogger
from tests.train.test_history import STUDENTS


def test_what_is_logged_is_the_jsonl_row_for_row(tmp_path):
    logger = MemoryLogger()
    with RunLog(tmp_path, logger, Progress()) as log:
        for count in range(1, len(STUDENTS) + 1):
            log.epoch(STUDENTS[:count], seconds=1.0)
    rows = read_jsonl(tmp_path / "log.jsonl")
    assert [{"step": step, **values} for step, values in logger.rows] == rows
    assert logger.is_finished
    assert (tmp_path / "curves.png").exists()


def test_overfitting_is_named_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with RunLog(tmp_path, NoLogger(), Progress()) as log:
        for count in range(1, len(STUDENTS) + 1):
            log.epoch(STUDENTS[:count], seconds=1.0)
    assert caplog.text.count("overfitting since epoch 2") == 1


def test_a_row_lost_between_saving_and_logging_is_written_on_resumption(tmp_path):
    with RunLog(tmp_path, NoLogger(), Progress()) as log:
        log.epoch(STUDENTS[:1], 1.0)
    done = Progress(epoch=2, step=20, rows=tuple(STUDENTS[:2]))
    with RunLog(tmp_path, NoLogger(), done):
        pass
    assert [row["epoch"] for row in read_jsonl(tmp_path / "log.jsonl")] == [1, 2]


def test_rows_after_the_saved_state_are_cut_off(tmp_path):
    with RunLog(tmp_path, NoLogger(), Progress()) as log:
        for count in range(1, 4):
            log.epoch(STUDENTS[:count], 1.0)
    done = Progress(epoch=1, step=10, rows=tuple(STUDENTS[:1]))
    with RunLog(tmp_path, NoLogger(), done):
        pass
    assert [row["epoch"] for row in read_jsonl(tmp_path / "log.jsonl")] == [1]


def _records(run: Path) -> Iterator[bytes]:
    """Read wandb's file: LevelDB's log format, parts of records in blocks of 32 KiB."""
    data, at, record = run.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 0x8000 - at % 0x8000
        if left < 7:
            at += left
            continue
        _checksum, length, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield record
            record = b""


def _history_of(run: Path) -> tuple[list[dict[str, float]], wandb_internal_pb2.RunRecord]:
    rows, told = [], None
    for data in _records(run):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.WhichOneof("record_type") == "run":
            told = record.run
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            keyed = {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items}
            rows.append({k: v for k, v in keyed.items() if k not in ("_timestamp", "_runtime")})
    return rows, told


def _whole_history_of(
    run: Path, count: int
) -> tuple[list[dict[str, float]], wandb_internal_pb2.RunRecord]:
    """Read until `count` rows are there; tables and plots, which are no figures, left out."""
    for _ in range(100):  # its process writes the file, on a busy machine some time later
        history, told = _history_of(run)
        if len(history) >= count:
            break
        sleep(0.1)
    rows = [
        {k.replace("_step", "step"): v for k, v in row.items() if not k.startswith("validation/")}
        for row in history
    ]
    return rows, told


def test_an_offline_wandb_run_lies_in_the_run_folder_and_holds_the_jsonl(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = TrackingConfig(wandb="offline", project="p", group="study", tags=("test",))
    with RunLog(tmp_path, NoLogger(), Progress()) as log:
        log.epoch(STUDENTS[:1], 1.0)
    done = Progress(epoch=1, step=STUDENTS[0].step, rows=tuple(STUDENTS[:1]))
    logger = build_logger(config, tmp_path, "pretrain", {"seed": 0})
    assert not isinstance(logger, NoLogger)
    with RunLog(tmp_path, logger, done) as log:  # after a kill: a new run, with all rows
        for count in range(2, len(STUDENTS) + 1):
            log.epoch(STUDENTS[:count], 1.0)
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    history, told = _whole_history_of(run, len(STUDENTS))
    assert history == read_jsonl(tmp_path / "log.jsonl")
    assert (told.project, told.run_group, told.job_type) == ("p", "study", "pretrain")
    assert list(told.tags) == ["test"]


def test_a_tracker_that_starts_late_is_told_what_is_done(tmp_path):
    logger = MemoryLogger()
    done = Progress(epoch=2, step=STUDENTS[1].step, rows=tuple(STUDENTS[:2]))
    with RunLog(tmp_path, logger, done) as log:
        log.epoch(STUDENTS[:3], 1.0)
    rows = read_jsonl(tmp_path / "log.jsonl")
    assert [{"step": step, **values} for step, values in logger.rows] == rows
    assert len(rows) == 3


def test_wandb_that_cannot_start_does_not_stop_a_training(tmp_path, monkeypatch, caplog):
    import wandb

    def refuse(**_):
        raise OSError("no space left")

    monkeypatch.setattr(wandb, "init", refuse)
    logger = build_logger(TrackingConfig(), tmp_path, "pretrain", {})
    assert isinstance(logger, NoLogger)
    assert "the JSONL" in caplog.text


KILLED = """
import sys
from pathlib import Path
from emotemporal.train.log import RunLog, TrackingConfig, build_logger
from emotemporal.train.state import Progress
from tests.train.test_history import STUDENTS

folder = Path(sys.argv[1])
logger = build_logger(TrackingConfig(wandb="offline"), folder, "pretrain", {})
with RunLog(folder, logger, Progress()) as log:
    for count in range(1, len(STUDENTS) + 1):
        log.epoch(STUDENTS[:count], seconds=1.0)
        print(count, flush=True)
        if count == 3:
            sys.stdin.read()  # nothing comes: the kill does
"""


def test_a_process_that_is_killed_loses_no_row_that_it_has_told(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "WANDB_MODE": "offline"},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert [child.stdout.readline().strip() for _ in range(3)] == ["1", "2", "3"]
    child.kill()
    child.communicate()
    rows = read_jsonl(tmp_path / "log.jsonl")
    assert rows == [{"step": row.step, **row.values()} for row in STUDENTS[:3]]


def _clips(count: int) -> list[ClipPrediction]:
    rng, labels = np.random.default_rng(0), SAVEE_7
    return [
        ClipPrediction(f"{i}.avi", "DC", labels.emotions[i % 7], rng.dirichlet(np.ones(7)), labels)
        for i in range(count)
    ]


def test_what_wandb_is_told_at_the_end_lies_in_the_run_folder_and_can_be_sent(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "best.safetensors").write_bytes(b"weights")
    logger = build_logger(TrackingConfig(wandb="offline"), folder, "finetune", {"commit": "c0"})
    with RunLog(folder, logger, Progress()) as log:
        for count in (1, 2):
            log.epoch(STUDENTS[:count], seconds=1.0)
        log.results(_clips(9))
    write_atomically(folder / "best.safetensors", b"others")
    (run,) = (folder / "wandb").glob("offline-run-*")
    told = {path.name: path for path in run.rglob("*") if path.is_file()}
    assert told["best.safetensors"].read_bytes() == b"weights"
    assert {"log.jsonl", "curves.png"} <= set(told)
    tables = [json.loads(path.read_text()) for path in run.rglob("*.table.json")]
    (answers,) = [table for table in tables if "p_anger" in table["columns"]]
    assert [row[0] for row in answers["data"]] == [f"{i}.avi" for i in range(9)]
    assert not list((home / ".local").rglob("*.json"))
    (file,) = run.glob("*.wandb")
    history, run_told = _whole_history_of(file, 2)
    assert history == read_jsonl(folder / "log.jsonl")
    assert any(item.key == "commit" for item in run_told.config.update)
    sent = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--dry-run", str(run)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Would sync 1 run" in sent.stdout + sent.stderr
