from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from emotemporal.config import build_parser


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
