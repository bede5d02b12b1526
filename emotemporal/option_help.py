"""How a command explains its options, and what is wrong with those that it was given."""

from __future__ import annotations

import difflib
import re
from argparse import Action
from collections.abc import Sequence

from jsonargparse import DefaultHelpFormatter

_FILE_OF_A_GROUP = "Path to a configuration file."
_ONE_TYPE = re.compile(
    r'Parser key "([\w.]+)":\s+Expected an? (.+?)\. Got value: (.*)',
    re.DOTALL,
)
_TYPES = re.compile(
    r'Parser key "([\w.]+)":\s+Does not validate.*?Subtypes: \[(.+?)\]\n.*Given value: (.*)',
    re.DOTALL,
)
_WORDS = {"tuple": "a list such as [a,b]", "list": "a list such as [a,b]", "dict": "{name: value}"}
_MAX_FOUND = 100


class OptionHelp(DefaultHelpFormatter):
    """Help that says nothing twice.

    jsonargparse repeats an option's choices as its type, and gives every group of options one for
    a file of its own, which `--config` makes needless: in a long help both hide what is looked for.
    """

    def add_argument(self, action: Action) -> None:
        """List an option, unless it only names a group's file."""
        if action.help != _FILE_OF_A_GROUP:
            super().add_argument(action)

    def _get_help_string(self, action: Action) -> str:
        if "--print_config" in action.option_strings:
            return "Print what all options come to, as YAML for --config, and exit."
        told = super()._get_help_string(action)
        if action.default == "":
            told = told.replace("%(default)s", "empty")
        has_choices = isinstance(action.metavar, str) and action.metavar.startswith("{")
        return told.replace("type: %(type)s, ", "") if has_choices else told


def explain(error: Exception, prog: str, names: Sequence[str]) -> str:
    """Return what is wrong with options or fields, and what could have been meant.

    Args:
        error: What jsonargparse, or a config, said of them.
        prog: The command.
        names: All that it knows.
    """
    message = _in_plain_words(str(error).strip())
    unknown = _unknown_names(message)
    if not unknown:
        return f"{message}\nSee '{prog} --help'."
    near = sorted({name for word in unknown for name in _near(word, names)})
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return f"{message}\n{hint}Fields are: {', '.join(names)}"


def _in_plain_words(message: str) -> str:
    """Word a value of the wrong kind as found and expected, not as Python's types."""
    match = _ONE_TYPE.fullmatch(message) or _TYPES.fullmatch(message)
    if match is None:
        return message
    key, wanted, found = match.groups()
    wanted = re.sub(r"typing\.Literal\[(.*?)\]|<class '(\w+)'>", r"\1\2", wanted)
    wanted = _WORDS.get(wanted, wanted)
    found = found if len(found) <= _MAX_FOUND else f"{found[:_MAX_FOUND]} ..."
    return f"{key}: expected {wanted.replace('NoneType', 'null')}, found {found}"


def _unknown_names(message: str) -> list[str]:
    """Return the names that jsonargparse did not know, by how it words that."""
    if "unrecognized arguments" in message:
        return re.findall(r"--([\w.]+)", message)
    in_group = re.findall(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message)
    return re.findall(r"Option '([\w.]+)' is not accepted", message) + list(map(".".join, in_group))


def _near(word: str, names: Sequence[str]) -> list[str]:
    """Return the names like `word`, whole or in their last part."""
    last = {name: name.rpartition(".")[2] for name in names}
    near = difflib.get_close_matches(word.rpartition(".")[2], {*last.values()}, cutoff=0.75)
    whole = difflib.get_close_matches(word, names, n=2, cutoff=0.75)
    return whole or [name for name in names if last[name] in near]
