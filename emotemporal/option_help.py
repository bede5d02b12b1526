"""How a command explains its options."""

from __future__ import annotations

from argparse import Action

from jsonargparse import DefaultHelpFormatter

_FILE_OF_A_GROUP = "Path to a configuration file."


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
