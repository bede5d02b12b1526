"""The commands of README, docs, cards and configs exist, and so do their options and files."""

import functools
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from emotemporal.cli import expand, main
from emotemporal.commands import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "docs/*.md",
        "datasets/*.md",
        "experiments/**/*.md",
        "emotemporal/weights/*.md",
        "configs/*/*.yaml",
    )
    for path in sorted(ROOT.glob(pattern))
]
# A line of its own, perhaps in a comment or after a prompt; or a piece of code in a sentence.
_LINE = re.compile(r"^[#\s$]*(emotemporal [a-z_]+\b.*)$", re.MULTILINE)
_SPAN = re.compile(r"`(emotemporal [a-z_]+\b[^`]*)`")


def commands_in(text: str) -> list[str]:
    """Return the commands that a text shows, without what stands behind a `#`."""
    joined = re.sub(r"\\\n[#\s]*", " ", text)
    found = [*_LINE.findall(joined), *_SPAN.findall(text)]
    return sorted({" ".join(line.split(" #")[0].split()) for line in found if "`" not in line})


@functools.cache
def _told(words: Sequence[str]) -> str:
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit):
        main([*words, "--help"])
    return out.getvalue()


def missing_options(line: str) -> list[str]:
    """Return which options of a command its help does not know."""
    name, *words = line.split()[1:]
    assert name in COMMANDS, f"{line}: no command {name}"
    kind = words[:1] if name == "benchmark" else []
    told = _told((name, *kind))
    options = [re.split(r"[=+]", word)[0] for word in expand(words, COMMANDS[name])]
    return [word for word in options if word.startswith("--") and not _is_in(told, word)]


def _is_in(told: str, option: str) -> bool:
    # Fields of what may be absent altogether are listed by a help of their own.
    words = {option, f"{option.rpartition('.')[0]}.help"}
    return any(re.search(rf"{re.escape(word)}[\s,]", told) for word in words)


def test_the_readme_shows_commands():
    assert len(commands_in(TEXT)) >= 10


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_exist_with_their_options(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    lost = {line: missing for line in commands_in(text) if (missing := missing_options(line))}
    assert not lost


def test_an_option_that_does_not_exist_would_be_noticed():
    shown = "    emotemporal live --source 0 \\\n        --no_such_option 3   # --nor_this\n"
    (line,) = commands_in(shown)
    assert line == "emotemporal live --source 0 --no_such_option 3"
    assert missing_options(line) == ["--no_such_option"]


def test_the_make_targets_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", TEXT))
    assert named <= targets
    assert {"demo", "test"} <= named


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.endswith(".md")])
def test_files_that_are_linked_to_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / document).parent.joinpath(link).exists(), link
