"""Rows that show the same picture: exactly, nearly, or in a mirror."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from emotemporal.data.signatures import Signature, sign_bytes
from emotemporal.data.table import SPLITS, DatasetTable, Split, file_of

_NUM_DIRECTIONS = 12
_FIT_ON = 20_000  # images that the projection is fitted on
_BLOCK = 8192
_TAIL_BYTES = 1024
# A corpus of video frames can have every image near every other: then only so many neighbours of
# each are looked at, which chains them into the same groups.
_MAX_PAIRS = 20_000_000
_MAX_NEIGHBOURS = 16


@dataclass(frozen=True)
class TwinConfig:
    """When two images are near twins. As set, on FER+: re-encoded, resized, slightly cropped."""

    correlation: float = 0.98
    """Of the two images, at 16 x 16 px and grey."""
    detail_correlation: float = 0.8
    """Of what is left at 32 x 32 px without the coarse light and dark, in which faces are alike."""
    with_mirrors: bool = True

    def __post_init__(self) -> None:
        if not 0.9 <= self.correlation < 1:
            raise ValueError(f"correlation is {self.correlation}; near twins have 0.9 or more")
        if not 0 <= self.detail_correlation < 1:
            raise ValueError(f"detail_correlation is {self.detail_correlation}; it is 0 up to 1")


@dataclass(frozen=True, eq=False)
class Twins:
    """Which rows show the same: those with the same number in `exact`, or in `group`.

    `group` joins exact and near twins, also through a third image.
    """

    exact: Int[np.ndarray, " n"]
    group: Int[np.ndarray, " n"]
    near_pairs: Int[np.ndarray, "m 2"]


def find_twins(signatures: Sequence[Signature], config: TwinConfig, workers: int = 1) -> Twins:
    """Return which of the signed files are twins. A file that could not be read has none.

    Not quadratic: the images' projections on a few directions lie in a search tree, and images
    near each other are near in every projection, so that no pair within the limit is missed.
    """
    digests = [s.digest or f"unreadable {i}" for i, s in enumerate(signatures)]
    firsts: dict[str, int] = {}
    exact = np.array([firsts.setdefault(d, len(firsts)) for d in digests], dtype=np.int64)
    _, representatives = np.unique(exact, return_index=True)
    seen = [int(i) for i in representatives if signatures[i].thumb is not None]
    pairs = np.zeros((0, 2), dtype=np.int64)
    if len(seen) > 1:
        thumbs = np.stack([thumb for i in seen if (thumb := signatures[i].thumb) is not None])
        pairs = np.array(seen, dtype=np.int64)[_near_pairs(thumbs, config, workers)]
    return Twins(exact, _join(exact, pairs), pairs)


def byte_twins(table: DatasetTable) -> Twins:
    """Return exact twins by the files' bytes alone.

    Size first, then the last bytes, then the whole: most files are not read, or hardly.
    """
    paths = [file_of(table, row) for row in range(len(table))]
    keys: list[tuple[object, ...]] = [(path.stat().st_size,) for path in paths]
    for look in (_last_bytes, lambda path: sign_bytes(path).digest):
        counts = Counter(keys)
        keys = [
            (*key, look(path)) if counts[key] > 1 else key
            for key, path in zip(keys, paths, strict=True)
        ]
    return find_twins([Signature(repr(key), None) for key in keys], TwinConfig())


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return stream.read()


def rows_with_twin_in(
    table: DatasetTable, groups: Int[np.ndarray, " n"], split: Split, others: Sequence[Split]
) -> Int[np.ndarray, " m"]:
    """Return the rows of `split` that share a group with a row of one of the `others`."""
    splits = table.rows["split"].to_numpy(dtype=object)
    there = np.unique(groups[np.isin(splits, list(others))])
    return np.flatnonzero((splits == split) & np.isin(groups, there))


def rows_to_leave_out(table: DatasetTable, groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return the rows without which no split shares a twin: training's, then validation's.

    What is reported on, the test set, stays whole.
    """
    later: Mapping[Split, Sequence[Split]] = {
        split: SPLITS[i + 1 :] for i, split in enumerate(SPLITS)
    }
    found = [rows_with_twin_in(table, groups, split, later[split]) for split in SPLITS[:-1]]
    return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def _near_pairs(
    thumbs: UInt8[np.ndarray, "n 32 32"], config: TwinConfig, workers: int
) -> Int[np.ndarray, "m 2"]:
    num = len(thumbs)
    is_flat = thumbs.reshape(num, -1).max(axis=1) == thumbs.reshape(num, -1).min(axis=1)
    points = _project(thumbs, with_mirrors=config.with_mirrors)
    # For vectors of length one, distance and correlation are the same thing.
    radius = float(np.sqrt(2 * (1 - config.correlation)))
    candidates = _close(points, num, radius, workers)
    rows = candidates % num
    # Each pair comes from both its ends; a face that is its own mirror is no twin of itself.
    candidates = candidates[(rows[:, 0] < rows[:, 1]) & ~is_flat[rows].any(axis=1)]
    kept = [
        block[_are_near(thumbs, block, config)]
        for start in range(0, len(candidates), _BLOCK)
        if len(block := candidates[start : start + _BLOCK])
    ]
    if not kept:
        return np.zeros((0, 2), dtype=np.int64)
    return np.unique(np.sort(np.concatenate(kept) % num, axis=1), axis=0)


def _project(thumbs: UInt8[np.ndarray, "n 32 32"], with_mirrors: bool) -> Float[np.ndarray, "m d"]:
    coarse = _coarse(thumbs[:: max(1, len(thumbs) // _FIT_ON)])
    coarse = coarse - coarse.mean(axis=0)
    directions = np.linalg.eigh(coarse.T @ coarse)[1][:, -_NUM_DIRECTIONS:]
    views = [thumbs, thumbs[:, :, ::-1]] if with_mirrors else [thumbs]
    return np.concatenate(
        [
            _coarse(view[start : start + _BLOCK]) @ directions
            for view in views
            for start in range(0, len(view), _BLOCK)
        ]
    )


def _close(
    points: Float[np.ndarray, "m d"], num: int, radius: float, workers: int
) -> Int[np.ndarray, "p 2"]:
    """Return pairs of one of the first `num` points and any other, near each other."""
    tree = cKDTree(points, leafsize=32)
    probe = points[:num][:: max(1, num // 1000)]
    counts = tree.query_ball_point(probe, radius, workers=workers, return_length=True)
    if float(np.mean(counts)) * num > _MAX_PAIRS:
        return _closest(tree, points[:num], radius, workers)
    found = []
    for start in range(0, num, _BLOCK):
        stop = min(start + _BLOCK, num)
        near = tree.query_ball_point(points[start:stop], radius, workers=workers)
        first = np.repeat(np.arange(start, stop), [len(indices) for indices in near])
        found.append(np.stack([first, np.concatenate(near).astype(np.int64)], axis=1))
    return np.concatenate(found)


def _closest(
    tree: cKDTree, points: Float[np.ndarray, "n d"], radius: float, workers: int
) -> Int[np.ndarray, "p 2"]:
    distances, indices = tree.query(
        points, _MAX_NEIGHBOURS, distance_upper_bound=radius, workers=workers
    )
    first = np.repeat(np.arange(len(points)), _MAX_NEIGHBOURS)
    is_found = np.isfinite(rearrange(distances, "n k -> (n k)"))
    return np.stack([first, rearrange(indices, "n k -> (n k)")], axis=1)[is_found]


def _are_near(
    thumbs: UInt8[np.ndarray, "n 32 32"], pairs: Int[np.ndarray, "p 2"], config: TwinConfig
) -> Bool[np.ndarray, " p"]:
    first, second = (_views(thumbs, pairs[:, side]) for side in (0, 1))
    is_near = np.sum(_coarse(first) * _coarse(second), axis=1) >= config.correlation
    detail = np.sum(_detail(first[is_near]) * _detail(second[is_near]), axis=1)
    is_near[is_near] = detail >= config.detail_correlation
    return np.asarray(is_near)


def _views(
    thumbs: UInt8[np.ndarray, "n 32 32"], indices: Int[np.ndarray, " p"]
) -> UInt8[np.ndarray, "p 32 32"]:
    """Numbers from n on mean the mirror of the image n less."""
    chosen = thumbs[indices % len(thumbs)]
    is_mirror = indices >= len(thumbs)
    chosen[is_mirror] = chosen[is_mirror][:, :, ::-1]
    return chosen


def _coarse(thumbs: UInt8[np.ndarray, "n 32 32"]) -> Float[np.ndarray, "n d"]:
    halved = reduce(thumbs.astype(np.float32), "n (h 2) (w 2) -> n (h w)", "mean")
    return _unit(halved)


def _detail(thumbs: UInt8[np.ndarray, "n 32 32"]) -> Float[np.ndarray, "n d"]:
    values = thumbs.astype(np.float32)
    fine = values - gaussian_filter(values, sigma=(0, 2, 2))
    return _unit(rearrange(fine, "n h w -> n (h w)"))


def _unit(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), dtype=np.float32)


def _join(exact: Int[np.ndarray, " n"], pairs: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, " n"]:
    if not len(exact):
        return exact
    num = int(exact.max()) + 1
    links = (np.ones(len(pairs), dtype=bool), (exact[pairs[:, 0]], exact[pairs[:, 1]]))
    _, component = connected_components(coo_matrix(links, shape=(num, num)), directed=False)
    return np.asarray(component[exact], dtype=np.int64)
