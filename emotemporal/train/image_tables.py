"""Which images are trained on, which choose the epoch, which are reported."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from emotemporal.data.select import keep_labels
from emotemporal.data.splits import hold_out, split_rows
from emotemporal.data.table import DatasetTable
from emotemporal.labels import LabelSpace

_log = logging.getLogger(__name__)

SelectOn = Literal["train_share", "validation"]


@dataclass(frozen=True, eq=False)
class ImageTables:
    """The parts of a data set, which share no subject and no twin."""

    train: DatasetTable
    validation: DatasetTable
    """Chooses the epoch."""
    official: DatasetTable | None
    """Judged once, after the training; None if the epoch was chosen on it, or there is none."""


def choose_tables(
    table: DatasetTable, labels: LabelSpace, select_on: SelectOn, share: float, seed: int
) -> ImageTables:
    """Take a data set apart.

    Args:
        table: With splits.
        labels: Images of other emotions are left out.
        select_on: By what the epoch is chosen: a share of the training set that is held out, or
            the official validation set, as peers do.
        share: Of the training set, held out with subjects and twins kept together.
        seed: Of that draw.

    Raises:
        ValueError: There is no train split, or none to choose the epoch by.
    """
    table = keep_labels(table, labels, use_votes=True)
    train, official = split_rows(table, "train"), split_rows(table, "validation")
    for name, part in (("train", train), ("validation", official)):
        if not len(part) and name in ("train", select_on):
            raise ValueError(
                f"{table.name} has no {name} split. Make one with 'emotemporal split' and name it "
                "with --data.split_file."
            )
    if select_on == "validation":
        _log.warning("peers' protocol: the best epoch is chosen on the set that is reported")
        return ImageTables(train, official, None)
    train, validation = hold_out(train, share, seed)
    return ImageTables(train, validation, official if len(official) else None)
