from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from emotemporal.config import ConfigError, build_parser, parse_config


@dataclass(frozen=True)
class PaceConfig:
    """How fast."""

    mode: Literal["slow", "fast"] = "slow"
    """How it goes."""
    rate_hz: float = 10.0


@dataclass(frozen=True)
class WalkConfig:
    """Go for a walk."""

    pace: PaceConfig = field(default_factory=PaceConfig)
    note: str = ""
    with_dog: bool = False
    """Take it along."""
    limit: int | None = None
    stops: tuple[str, ...] = ()
    weather: Literal["dry", "wet"] | None = None


def test_help_tells_each_thing_once():
    told = " ".join(build_parser(WalkConfig, "emotemporal walk").format_help().split())
    assert told.startswith("usage: emotemporal walk [--config FILE.yaml] [--option value ...]")
    assert "--pace.mode {slow,fast} How it goes. (default: slow)" in told
    assert "--with_dog {true,false} Take it along. (default: False)" in told
    assert "--pace.rate_hz RATE_HZ (type: float, default: 10.0)" in told
    assert "--note NOTE (type: str, default: empty)" in told
    assert told.count("Go for a walk") == 1
    assert "Path to a configuration file" not in told
    assert "--print_config" in told


def test_a_group_still_takes_a_file_of_its_own(tmp_path):
    file = tmp_path / "pace.yaml"
    file.write_text("mode: fast\n")
    parsed = build_parser(WalkConfig, "emotemporal walk").parse_args(["--pace", str(file)])
    assert parsed.pace.mode == "fast"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pace.mode", "crawl"], "pace.mode: expected 'slow', 'fast', found crawl"),
        (["--pace.rate_hz", "much"], "pace.rate_hz: expected float, found much"),
        (["--limit", "much"], "limit: expected int, null, found much"),
        (["--stops", "inn"], "stops: expected a list such as [a,b], found inn"),
        (["--weather", "odd"], "weather: expected 'dry', 'wet', null, found odd"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_as_found_and_expected(words, said):
    with pytest.raises(ConfigError) as refused:
        parse_config(WalkConfig, words, "emotemporal walk")
    assert str(refused.value) == f"{said}\nSee 'emotemporal walk --help'."


def test_a_config_that_is_not_there_is_told_with_shipped_ones_like_it():
    with pytest.raises(ConfigError) as refused:
        parse_config(WalkConfig, ["--config", "runs/students_basline.yaml"], "emotemporal walk")
    assert "students_basline.yaml is not there" in str(refused.value)
    assert "configs/runs/students_baseline.yaml" in str(refused.value)


def test_a_file_that_is_no_config_is_refused_in_one_line(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("path,label\n" + "a.jpg,fear\n" * 100)
    with pytest.raises(ConfigError) as refused:
        parse_config(WalkConfig, ["--config", str(file)], "emotemporal walk")
    assert str(refused.value) == f"{file} is no config: it holds no fields, such as 'seed: 1'"
