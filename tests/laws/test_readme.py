"""The README's commands exist, and so do the options and files that it names."""

import re
from pathlib import Path

import pytest

from emotemporal.cli import expand, main
from emotemporal.commands import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND_LINES = sorted(
    {
        line.strip().removeprefix("$ ").split(" #")[0]
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", TEXT, re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip().removeprefix("$ ").startswith("emotemporal ")
    }
)


def _options(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return capsys.readouterr().out


def test_the_readme_shows_commands():
    assert len(COMMAND_LINES) >= 5


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_of_the_readme_exists_with_its_options(line, capsys):
    name, *words = line.split()[1:]
    assert name in COMMANDS, line
    told = _options(name, capsys)
    for word in expand(words, COMMANDS[name]):
        if word.startswith("--"):
            option = re.split(r"[=+]", word)[0]
            assert option in told, f"{line}: no option {option}"


def test_an_option_that_does_not_exist_would_be_noticed(capsys):
    assert "--no_such_option" not in _options("live", capsys)


def test_the_make_targets_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", TEXT))
    assert named <= targets
    assert {"demo", "test"} <= named


def test_files_that_the_readme_links_to_exist():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / link).exists(), link
