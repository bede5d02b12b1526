"""Files that are broken in every way: each is read, or refused by name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.hostile import TRAP, hostile_files
from tests.faults.judges import Judge
from tests.faults.mutate import mutate
from tests.faults.readers import KINDS, Kind, readers_of
from tests.faults.seeds import lay_out, make_seeds

LIMIT_S = 60.0
"""Far above what any whole file takes; a decoder that hangs is ended after twenty."""
IDS = [kind.name for kind in KINDS]


@pytest.fixture(scope="session")
def seeds_folder(memory_folder) -> Path:
    (memory_folder / "seeds").mkdir()
    return memory_folder / "seeds"


@pytest.fixture(scope="session")
def seeds(seeds_folder, make_checkpoint, make_onnx) -> Mapping[str, bytes]:
    return make_seeds(seeds_folder, make_checkpoint("frame"), make_onnx("frame", "int8"))


@pytest.fixture(scope="session")
def judge(seeds_folder, seeds) -> Iterator[Judge]:
    with Judge(readers_of(seeds_folder), LIMIT_S) as judge:
        yield judge


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def try_mutants(judge: Judge, kind: Kind, whole: bytes, folder: Path, numbers: range) -> list[str]:
    """Return what went wrong, with what is needed to make the file again."""
    path = folder / kind.place
    path.parent.mkdir(parents=True, exist_ok=True)
    lay_out(folder, kind.name)
    path.write_bytes(whole)
    verdict = judge.read(kind.name, path)
    assert verdict.kind == "read", f"the whole file: {verdict}"
    before, bad = files_below(folder.parent), []
    for number in numbers:
        how, broken = mutate(whole, f"{kind.name} {number}", kind.ways, kind.head)
        path.write_bytes(broken)
        verdict = judge.read(kind.name, path)
        is_cut_short = how == "cut_off" and len(broken) < 0.98 * len(whole)
        if verdict.kind == "read" and is_cut_short and not kind.may_end_early:
            bad.append(f"{number} ({how}, {len(broken)} of {len(whole)} bytes): silently cut short")
        if not verdict.is_good:
            bad.append(f"{number} ({how}): {verdict.kind}: {verdict.told}")
        if new := files_below(folder.parent) - before:
            bad.append(f"{number} ({how}): wrote {new}")
            before |= new
    return bad


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_some_broken_files_are_read_or_refused_by_name(judge, seeds, tmp_path, kind):
    bad = try_mutants(judge, kind, seeds[kind.name], tmp_path / "a", range(kind.fast))
    assert not bad, "\n".join(bad[:5])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_many_broken_files_are_read_or_refused_by_name(judge, seeds, memory_folder, kind):
    folder = memory_folder / kind.name / "a"
    bad = try_mutants(judge, kind, seeds[kind.name], folder, range(10_000, 10_000 + kind.slow))
    assert not bad, f"{len(bad)} of {kind.slow}:\n" + "\n".join(bad[:5])


def test_enough_are_tried():
    assert sum(kind.fast for kind in KINDS) >= 300
    assert sum(kind.slow for kind in KINDS) >= 5000


@pytest.fixture(scope="session")
def hostile(seeds_folder, seeds) -> Mapping[str, tuple[str, bytes]]:
    return hostile_files(seeds_folder, seeds)


def test_what_is_made_to_hurt_is_refused_by_name_runs_nothing_and_fills_nothing(
    judge, hostile, seeds_folder, memory_folder
):
    bad = []
    places = {kind.name: kind.place for kind in KINDS}
    for number, (name, (kind, content)) in enumerate(hostile.items()):
        folder = memory_folder / "hostile" / f"{number}" / "a"
        path = folder / places[kind]
        path.parent.mkdir(parents=True)
        lay_out(folder, kind)
        path.write_bytes(content)
        before = files_below(memory_folder)
        verdict = judge.read(kind, path)
        if verdict.kind != "refused":
            bad.append(f"{name}: {verdict}")
        if new := files_below(memory_folder) - before:
            bad.append(f"{name}: wrote {new}")
        path.unlink()
    assert not bad, "\n".join(bad)
    assert not (seeds_folder / TRAP).exists()
