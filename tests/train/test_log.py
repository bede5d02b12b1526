import json
import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from time import sleep

from wandb.proto import wandb_internal_pb2

from emotemporal.storage import read_jsonl
from emotemporal.train.log import NoLogger, RunLog, TrackingConfig, build_logger
from emotemporal.train.state import Progress
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
    history, told = _history_of(run)
    for _ in range(100):  # its process writes the file, on a busy machine some time later
        if len(history) >= len(STUDENTS):
            break
        sleep(0.1)
        history, told = _history_of(run)
    named = [{"step": row.pop("_step"), **row} for row in history]
    assert named == read_jsonl(tmp_path / "log.jsonl")
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
