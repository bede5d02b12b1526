"""The command line: finds the job; tells what a user can cause in one message and exit code."""

from __future__ import annotations

import difflib
import logging
import sys
import textwrap
from collections.abc import Sequence

from emotemporal import __version__
from emotemporal.commands import COMMANDS, Command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code: 0 done, 1 refused, 2 unusable, 75 run it again."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version", "version"):
        print(f"emotemporal {__version__}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        print(f"{_help()}\n\nthere is no command {words[0]!r}{hint}", file=sys.stderr)
        return 2
    if {"-h", "--help"} & {*words[1:]}:
        print(f"{introduce(words[0], command)}\n")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return _guarded(command, words[1:])


def expand(words: Sequence[str], command: Command) -> list[str]:
    """Write short options out, and name the option that leading words belong to."""
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    leading, rest = list(words[:count]), list(words[count:])
    expanded = []
    if leading and command.positional == "--paths":
        expanded = [f"--paths+={word}" for word in leading]
    elif leading and command.positional is not None:
        expanded = [command.positional, *leading]
    else:
        expanded = leading
    for word in rest:
        name, equals, value = word.partition("=")
        expanded.append(f"{command.aliases.get(name, name)}{equals}{value}")
    return expanded


def introduce(name: str, command: Command) -> str:
    """Return what a command is for, and which of its options can be written shorter."""
    lines = [f"emotemporal {name}: {command.summary}", ""]
    if command.positional is not None:
        lines.append(f"'{name} WORD' is short for '{name} {command.positional} WORD'.")
    shorter: dict[str, list[str]] = {}
    for short, full in command.aliases.items():
        group = full.removeprefix("--").removesuffix(short.removeprefix("--"))
        if f"--{group}{short.removeprefix('--')}" == full:
            shorter.setdefault(group, []).append(short)
        elif full != f"{short}+":
            lines.append(f"{short} is short for {full}.")
    for group, found in shorter.items():
        lines.append(f"`{group}` may be left out: {', '.join(found)}.")
    return "\n".join(textwrap.fill(line, 79, break_on_hyphens=False) for line in lines).strip()


def _guarded(command: Command, words: Sequence[str]) -> int:
    """Run a command; what a user can cause is told in one message, bugs keep their stack trace."""
    from emotemporal.stopping import InterruptedJob

    try:
        return command.run(expand(words, command))
    except InterruptedJob as stopped:
        print(stopped, file=sys.stderr)
        return stopped.EXIT_CODE
    except (ValueError, OSError, ArithmeticError) as error:
        print(f"error: {_told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _told(error: Exception) -> str:
    """Return an error in words; of the system's own, the file and what is wrong with it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "emotemporal: emotion recognition over space and time, from faces in video",
            "",
            "usage: emotemporal COMMAND [--config FILE.yaml] [--option value ...]",
            "",
            *lines,
            "",
            "emotemporal COMMAND --help lists a command's options.",
            "What it says is the label that annotators would give an expression, not what a",
            "person feels.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
