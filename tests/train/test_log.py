import logging

from emotemporal.storage import read_jsonl
from emotemporal.train.history import EpochRow
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


def test_an_offline_wandb_run_lies_in_the_run_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = TrackingConfig(wandb="offline", group="study", tags=("test",))
    logger = build_logger(config, tmp_path, "pretrain", {"seed": 0})
    assert not isinstance(logger, NoLogger)
    row = EpochRow(1, 10, 1.0, 0.5, None, None, None, None)
    logger.log(row.values(), row.step)
    logger.finish()
    runs = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(runs) == 1
    assert runs[0].stat().st_size > 0


def test_wandb_that_cannot_start_does_not_stop_a_training(tmp_path, monkeypatch, caplog):
    import wandb

    def refuse(**_):
        raise OSError("no space left")

    monkeypatch.setattr(wandb, "init", refuse)
    logger = build_logger(TrackingConfig(), tmp_path, "pretrain", {})
    assert isinstance(logger, NoLogger)
    assert "the JSONL" in caplog.text
