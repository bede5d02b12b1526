from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from emotemporal.config import (
    ConfigError,
    config_digest,
    differences,
    load_yaml,
    parse_config,
    to_yaml,
)


@dataclass(frozen=True)
class OptimConfig:
    """How the weights change."""

    learning_rate: float = 1e-3
    epochs: int = 10
    betas: tuple[float, ...] = (0.9, 0.999)

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0")


@dataclass(frozen=True)
class SourceConfig:
    """What is read."""

    name: Literal["images", "clips"]
    root: str


@dataclass(frozen=True)
class Map:
    """A value in a mapping."""

    scale: float
    shift: float = 0.0


@dataclass(frozen=True)
class JobConfig:
    """Do the job."""

    data: SourceConfig
    checkpoint: str
    """The file to begin with."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    maps: Mapping[str, Map] = field(default_factory=lambda: {"haar": Map(1.5)})
    mode: Literal["off", "on"] = "off"
    tags: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it can be 0 or more")


GIVEN = ("--data.name", "clips", "--data.root", "/x", "--checkpoint", "12")
DEFAULT = JobConfig(SourceConfig("clips", "/x"), "12")
ALL_FIELDS = (
    "Fields are: data.name, data.root, checkpoint, optim.learning_rate, optim.epochs, "
    "optim.betas, maps, mode, tags, limit, seed"
)


def parse(*arguments: str) -> JobConfig:
    return parse_config(JobConfig, [*GIVEN, *arguments], "emotemporal job")


@pytest.fixture
def write_yaml(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "job.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_what_is_not_given_has_its_default():
    assert parse() == DEFAULT


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--seed", "3"], {"seed": 3}),
        (["--seed=3"], {"seed": 3}),
        (["--optim.epochs", "2"], {"optim": OptimConfig(epochs=2)}),
        (["--optim.learning_rate", "3e-4"], {"optim": OptimConfig(learning_rate=3e-4)}),
        (["--mode", "on"], {"mode": "on"}),
        (["--limit", "4"], {"limit": 4}),
        (["--limit", "null"], {"limit": None}),
        (["--tags", "[a,b]"], {"tags": ("a", "b")}),
        (["--maps.yunet.scale", "2"], {"maps": {"haar": Map(1.5), "yunet": Map(2.0)}}),
    ],
    ids=str,
)
def test_options_reach_their_fields(arguments, expected):
    assert parse(*arguments) == replace(DEFAULT, **expected)


def test_a_file_sets_some_fields_and_leaves_the_others(write_yaml):
    file = write_yaml("# header\nseed: 3\noptim:\n  epochs: 4\n")
    expected = replace(DEFAULT, seed=3, optim=OptimConfig(epochs=4))
    assert parse("--config", file) == expected


def test_a_file_may_be_named_with_an_equals_sign(write_yaml):
    assert parse(f"--config={write_yaml('seed: 3')}").seed == 3
    twice = write_yaml("seed: 3\nseed: 4\n")
    with pytest.raises(ConfigError, match="seed stands twice"):
        parse(f"--config={twice}")


def test_the_later_of_file_and_option_wins(write_yaml):
    file = write_yaml("seed: 3\noptim:\n  epochs: 4\n")
    assert parse("--config", file, "--seed", "5").seed == 5
    assert parse("--seed", "5", "--config", file).seed == 3
    nested = parse("--config", file, "--optim.learning_rate", "0.5").optim
    assert nested == OptimConfig(learning_rate=0.5, epochs=4)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        pytest.param(["--sead", "1"], "seed", id="top"),
        pytest.param(["--optim.epoch", "1"], "optim.epochs", id="in-a-group"),
        pytest.param(["--optim.learning_rat", "1"], "optim.learning_rate", id="a-prefix-of-it"),
        pytest.param(["--learning_rate", "1"], "optim.learning_rate", id="without-its-group"),
        pytest.param(["--data.nam", "1"], "data.name", id="of-a-group-without-default"),
    ],
)
def test_a_mistyped_option_is_refused_with_what_was_meant(arguments, near):
    with pytest.raises(ConfigError) as refused:
        parse(*arguments)
    assert f"did you mean {near}? {ALL_FIELDS}" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        pytest.param("sead: 1\n", "seed", id="top"),
        pytest.param("optim:\n  epoch: 1\n", "optim.epochs", id="in-a-group"),
        pytest.param("data:\n  rot: 1\n", "data.root", id="of-a-group-without-default"),
    ],
)
def test_a_mistyped_field_of_a_file_is_refused_with_what_was_meant(write_yaml, text, near):
    with pytest.raises(ConfigError) as refused:
        parse("--config", write_yaml(text))
    assert f"did you mean {near}? {ALL_FIELDS}" in str(refused.value)


def test_a_field_that_resembles_none_is_refused_with_the_list(write_yaml):
    with pytest.raises(ConfigError) as refused:
        parse("--config", write_yaml("zebra: 1\n"))
    assert "zebra" in str(refused.value)
    assert "did you mean" not in str(refused.value)
    assert ALL_FIELDS in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--seed", "-1"], "seed is -1; it can be 0 or more", id="own-check"),
        pytest.param(["--optim.learning_rate", "0"], "it must be above 0", id="own-check-nested"),
        pytest.param(["--seed", "many"], "seed.*int.*many", id="no-number"),
        pytest.param(["--optim.epochs", "1.5"], "optim.epochs.*int.*1.5", id="no-integer"),
        pytest.param(["--mode", "loud"], "mode.*'off', 'on'.*loud", id="none-of-the-choices"),
        pytest.param(["stray"], "stray", id="a-word-too-many"),
        pytest.param(["--config", "/nowhere/x.yaml"], "/nowhere/x.yaml", id="no-file"),
    ],
)
def test_a_refused_value_is_told_with_where_to_look(arguments, said):
    with pytest.raises(ConfigError, match=f"(?s){said}.*See 'emotemporal job --help'"):
        parse(*arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("seed: [1\n", "parsing", id="no-yaml"),
        pytest.param("- 1\n- 2\n", "config", id="a-list"),
        pytest.param("", "config", id="empty"),
        pytest.param("optim: 3\n", "optim is 3; it has fields of its own: optim.l", id="no-group"),
        pytest.param("optim:\nseed: 1\n", "optim is None; it has fields", id="an-empty-group"),
        pytest.param("seed: abc\n", "seed.*int.*abc", id="no-number"),
        pytest.param("optim:\n  learning_rate: -1\n", "it must be above 0", id="own-check"),
    ],
)
def test_a_broken_file_is_a_config_error(write_yaml, text, said):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        parse("--config", write_yaml(text))


def test_what_is_required_is_named():
    with pytest.raises(ConfigError, match=r"data\.name, data\.root, checkpoint"):
        parse_config(JobConfig, [], "emotemporal job")


def test_a_class_path_in_a_file_imports_nothing(write_yaml, tmp_path, monkeypatch):
    (tmp_path / "planted_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for text in (
        "optim: {class_path: planted_module.Sub}\n",
        "maps:\n  haar: {class_path: planted_module.Sub, init_args: {scale: 1}}\n",
    ):
        with pytest.raises(ConfigError, match="not allowed"):
            parse("--config", write_yaml(text))
    assert "planted_module" not in sys.modules


@pytest.mark.parametrize(
    "config",
    [
        DEFAULT,
        replace(DEFAULT, optim=OptimConfig(1e-5, 3, (0.1,)), tags=("a", "off", "1"), limit=7),
        replace(DEFAULT, maps={"yunet": Map(0.5, -0.25)}, mode="on", checkpoint="null", seed=9),
        replace(DEFAULT, data=SourceConfig("images", "C:\\data: x"), checkpoint="1e3"),
    ],
    ids=["defaults", "numbers", "words", "strings-like-others"],
)
def test_a_config_written_as_yaml_is_read_again(write_yaml, config):
    file = write_yaml(to_yaml(config))
    assert parse_config(JobConfig, ["--config", file], "emotemporal job") == config


def test_help_lists_the_options_with_their_docstrings(capsys):
    with pytest.raises(SystemExit) as left:
        parse("--help")
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert "--optim.learning_rate" in printed
    assert "The file to begin with." in printed


def test_the_digest_is_of_the_content_not_of_its_order():
    assert config_digest({"a": 1, "b": [2]}) == config_digest({"b": [2], "a": 1})
    assert config_digest({"a": 1}) != config_digest({"a": 2})


def test_differences_name_the_fields_there_and_here():
    found = {"optim": {"rate": 1, "epochs": 2}, "seed": 0, "gone": 5}
    wanted = {"optim": {"rate": 3, "epochs": 2}, "seed": 0, "added": [6]}
    assert differences(found, wanted) == [
        "added: there None, here [6]",
        "gone: there 5, here None",
        "optim.rate: there 1, here 3",
    ]
    assert differences(found, found) == []


def test_a_shipped_config_is_found_without_a_checkout(tmp_path, monkeypatch):
    from emotemporal.train.pretrain import PretrainConfig

    monkeypatch.chdir(tmp_path)
    words = ["--config", "configs/runs/students_baseline.yaml", "--data.root", "somewhere"]
    config = parse_config(PretrainConfig, words, "emotemporal pretrain")
    assert config.max_per_class == 2500
    assert config.data.root == "somewhere"


def test_numbers_of_a_yaml_file_are_those_that_jobs_read():
    assert load_yaml("{a: 1e-3, b: 1e3, c: [2.5], d: one}", "x") == {
        "a": 0.001,
        "b": 1000.0,
        "c": [2.5],
        "d": "one",
    }


def test_a_yaml_mapping_may_start_from_another():
    text = "{a: &a {b: 1, c: 2}, d: {<<: *a, c: 3}}"
    assert load_yaml(text, "x")["d"] == {"b": 1, "c": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: 1\nb: {c: 1, c: 2}", "c stands twice", id="a-name-twice"),
        pytest.param("a: [", "grid is no YAML", id="no-yaml"),
    ],
)
def test_what_a_yaml_file_cannot_mean_is_refused(text, told):
    with pytest.raises(ConfigError, match=told):
        load_yaml(text, "grid")
