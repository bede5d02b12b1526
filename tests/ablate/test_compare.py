"""The study on eight drawn clips and an untrained encoder: what it leaves behind, not how good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from emotemporal.ablate import compare as study
from emotemporal.ablate import units as pieces
from emotemporal.ablate.compare import CompareConfig, compare
from emotemporal.ablate.units import Unit
from emotemporal.baselines.frame_votes import FRAME_VOTES, ORDER_BLIND_VOTES
from emotemporal.config import ConfigError, parse_plain, to_plain
from emotemporal.data.sampling import SamplingConfig
from emotemporal.evaluation.comparison.results import Comparison
from emotemporal.evaluation.protocols import ProtocolConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.models.meta import ModelConfig
from emotemporal.run_folder import RunFolderError
from emotemporal.synthetic.savee import REVERSED_PAIR
from emotemporal.train.features import ViewConfig
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from tests.ablate.copies import copy_prepared
from tests.fakes import MemoryLogger

PAIR = ",".join(REVERSED_PAIR)
OPTIM = OptimConfig(epochs=2, batch_size=4)
NUM_FOLDS = 4
METHODS = [*FRAME_VOTES, "gru", "clip_length"]


@pytest.fixture(scope="module")
def config(make_checkpoint, prepared_savee, tmp_path_factory) -> CompareConfig:
    folder = tmp_path_factory.mktemp("compare")
    return CompareConfig(
        checkpoint=str(make_checkpoint("frame", crop_px=96)),
        data=str(prepared_savee),
        out=str(folder / "study"),
        labels=PAIR,
        frame=HeadConfig(model=ModelConfig(head="frame"), optim=OPTIM),
        heads={"gru": HeadConfig(model=ModelConfig(head="gru", hidden_dim=8), optim=OPTIM)},
        views=ViewConfig(num_augmented=1),
        num_seeds=1,
        pair=PAIR,
        note="an instrument check",
        bootstrap=BootstrapConfig(num_resamples=100),
        cache=str(folder / "features"),
        tracking=TrackingConfig(wandb="off"),
    )


@pytest.fixture(scope="module")
def comparison(config) -> Comparison:
    return compare(config)


@pytest.fixture
def here(monkeypatch):
    """Run units in this process: a spawned one imports torch anew, which takes seconds."""
    run: list[Unit] = []

    def run_all(config, units):
        for unit in units:
            run.append(unit)
            yield unit, pieces._run_unit(config, unit)

    monkeypatch.setattr(study, "run_units", run_all)
    pieces._study_of_this_process.cache_clear()
    return run


def _units(config: CompareConfig) -> dict[str, str]:
    return {path.name: path.read_text() for path in (Path(config.out) / "units").iterdir()}


def test_a_study_leaves_its_units_and_its_report(config, comparison):
    assert len(_units(config)) == 3 * NUM_FOLDS
    assert [row.name for row in comparison.methods] == METHODS
    assert comparison.num_clips == 8
    out = Path(config.out)
    table = pd.read_csv(out / "comparison.csv", comment="#")
    assert table["method"].tolist() == METHODS
    for name in ("report.html", "comparison.md", "comparison.csv"):
        assert config.note in (out / name).read_text()
    assert comparison.origin["commit"]


def test_who_is_blind_to_order_is_right_in_exactly_half_of_the_pair(comparison):
    blind = [row for row in comparison.methods if row.name in ORDER_BLIND_VOTES]
    assert [row.pair_accuracy.estimate for row in blind] == [0.5] * 3


def test_started_again_it_runs_what_is_missing_and_touches_nothing_else(config, comparison, here):
    folder = Path(config.out) / "units"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    victim = folder / Unit("gru", 0, "JE").file_name
    text = victim.read_text()
    victim.unlink()
    again = compare(config)
    assert here == [Unit("gru", 0, "JE")]
    assert victim.read_text() == text
    changed = [path for path, at in before.items() if path.stat().st_mtime_ns != at]
    assert changed == [victim]
    assert again.method("gru").uar == comparison.method("gru").uar


def test_another_config_on_the_folder_is_refused(config, comparison):
    with pytest.raises(RunFolderError, match=r"config\.num_seeds: there 1, here 2"):
        compare(replace(config, num_seeds=2))


def test_where_it_runs_is_no_part_of_the_config(config, comparison, here):
    compare(replace(config, workers=3, cache=f"{config.cache}2"))
    assert here == []


@pytest.mark.slow
def test_the_number_of_workers_changes_no_bit(config, comparison, tmp_path):
    other = replace(config, workers=2, out=str(tmp_path / "study"))
    compare(other)
    assert _units(other) == _units(config)


def test_the_heads_are_told_apart_by_seed_and_fold(config, here):
    units = [Unit("gru", seed, fold) for seed in (0, 1) for fold in ("DC", "JE")]
    answers = [json.dumps(result) for _, result in study.run_units(config, units)]
    assert len(set(answers)) == len(units)


def test_folds_without_the_sentence_have_files_of_their_own(config, here, tmp_path):
    protocol = ProtocolConfig("subject_and_take", num_take_groups=2)
    data = copy_prepared(
        Path(config.data), tmp_path / "data", lambda rows: rows.assign(take=rows["emotion"] + "4")
    )
    other = replace(config, protocol=protocol, data=data, out=str(tmp_path / "study"))
    compare(other)
    assert "frame-seed0-DC%2Ftakes1.json" in _units(other)
    assert all(path.is_file() for path in (tmp_path / "study" / "units").iterdir())


def test_frames_that_vote_may_be_chosen_by_another_strategy(config, here, tmp_path):
    sampling = SamplingConfig(strategy="dense", num_frames=3)
    frame = replace(config.frame, sampling=sampling)
    found = compare(replace(config, frame=frame, out=str(tmp_path / "study")))
    assert [row.name for row in found.methods] == METHODS


def test_several_heads_are_one_study_and_one_family(config, comparison, here, tmp_path):
    wide = HeadConfig(model=ModelConfig(head="gru", hidden_dim=12), optim=OPTIM)
    heads = {**config.heads, "wide-gru": wide}
    other = replace(config, heads=heads, out=str(tmp_path / "study"))
    found = compare(other)
    assert [row.name for row in found.methods] == [*FRAME_VOTES, "gru", "wide-gru", "clip_length"]
    # A head does not know which others it is compared with.
    same = {name: text for name, text in _units(other).items() if not name.startswith("wide")}
    assert same == _units(config)
    several = [row.difference for row in found.methods if row.difference is not None]
    assert len(several) == len(FRAME_VOTES) + 2
    lowest = min(several, key=lambda difference: difference.mcnemar.p_value)
    assert lowest.holm_p == min(1.0, len(several) * lowest.mcnemar.p_value)


def test_attention_pooling_is_known_to_be_blind_to_order(config, here, tmp_path):
    pooling = HeadConfig(model=ModelConfig(head="attention", hidden_dim=8), optim=OPTIM)
    found = compare(replace(config, heads={"pooled": pooling}, out=str(tmp_path / "study")))
    assert found.method("pooled").is_order_blind
    assert found.method("pooled").pair_accuracy.estimate == 0.5


def test_settings_that_are_not_chosen_are_said_to_be_fixed(config, here, tmp_path):
    other = replace(config, nested=False, out=str(tmp_path / "study"))
    found = compare(other)
    assert "settings fixed beforehand" in found.origin["protocol"]
    assert "settings fixed beforehand" in (tmp_path / "study" / "report.html").read_text()
    told = [json.loads(text) for text in _units(other).values()]
    choices = [unit["choice"] for unit in told if "choice" in unit]
    assert choices == [{"rate_factor": 1.0, "num_epochs": 2, "scores": {}}] * 2 * NUM_FOLDS


def test_heads_are_written_in_yaml_as_they_are_named(config):
    plain = to_plain(config)
    assert parse_plain(CompareConfig, plain, "compare") == config
    plain["heads"]["gru"]["model"]["hiden_dim"] = 3
    with pytest.raises(ConfigError, match="hiden_dim"):
        parse_plain(CompareConfig, plain, "compare")


def test_clips_of_other_emotions_are_left_out_and_told(config, here, tmp_path, caplog):
    other = replace(config, labels="surprise,anger", pair="", out=str(tmp_path / "study"))
    assert compare(other).num_clips == 4
    assert "4 clips show none of" in caplog.text


def test_its_figures_go_to_the_tracker(config, comparison, here, monkeypatch):
    logger = MemoryLogger()
    monkeypatch.setattr(study, "build_logger", lambda *_: logger)
    compare(config)
    told = {name: value for _, values in logger.rows for name, value in values.items()}
    assert told["gru/uar"] == comparison.method("gru").uar.estimate
    assert logger.is_finished


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"num_seeds": 0}, "at least one", id="no-seed"),
        pytest.param({"pair": "fear"}, "two emotions", id="half-a-pair"),
        pytest.param({"frame": HeadConfig()}, "need 'frame'", id="votes-of-a-gru"),
        pytest.param(
            {"heads": {"gru": HeadConfig(sampling=SamplingConfig(clip_rate_hz=5))}},
            "same frames",
            id="rates",
        ),
        pytest.param(
            {"heads": {"gru": HeadConfig(optim=OptimConfig(freeze_epochs=1))}},
            "does not learn",
            id="frozen-what",
        ),
        pytest.param({"heads": {"majority": HeadConfig()}}, "named 'majority'", id="a-vote's-name"),
        pytest.param(
            {"heads": {"f": HeadConfig(model=ModelConfig(head="change_filter"))}},
            "change_filter filters the answers",
            id="no-classifier",
        ),
        pytest.param({"heads": {"a/b": HeadConfig()}}, "letters, digits", id="no-file-name"),
        pytest.param(
            {"nested": False, "rate_factors": (1.0, 3.0)}, "chooses nothing", id="unused-rates"
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(config, changes, told):
    with pytest.raises(ValueError, match=told):
        replace(config, **changes)
