from __future__ import annotations

import pytest

from emotemporal.data.sets.savee import read_savee
from emotemporal.data.table import Problem, refuse_fatal, tell


def test_what_is_wrong_in_one_way_is_told_in_one_line():
    slips = [Problem(f"{i}.avi", "no such code", "Rename it.", True) for i in range(5)]
    other = Problem("list", "a row too many", "Remove it.", True)
    assert tell([*slips, other], at_most=10) == [
        "0.avi, 1.avi, 2.avi and 2 more: no such code. Rename it.",
        "list: a row too many. Remove it.",
    ]
    assert tell([other, *slips], at_most=1) == ["list: a row too many. Remove it.", "and 1 more"]


def test_a_folder_of_other_videos_is_refused_in_a_few_lines(tmp_path):
    for i in range(30):
        (tmp_path / f"clip_{i:02}.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match=r"clip_00.mp4, clip_01.mp4, clip_02.mp4 and 27 more"):
        refuse_fatal(read_savee(tmp_path))
