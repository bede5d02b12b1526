"""Prepared clips that show the same: under two names a person would be trained on and judged."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from emotemporal.data.prepared import PreparedSet
from emotemporal.data.signatures import THUMB_PX, Signature
from emotemporal.data.twins import TwinConfig, find_twins
from emotemporal.storage import write_atomically
from emotemporal.types import FaceClip

_MOMENTS = (0.25, 0.5, 0.75)
"""Of a clip's frames: two clips of one performance agree at all three, two neutral faces at one."""


@dataclass(frozen=True, eq=False)
class ClipSignature:
    """What tells one clip from another. Equal digests: the same pictures at the same times."""

    digest: str
    thumbs: UInt8[np.ndarray, "3 32 32"]


def sign_clip(clip: FaceClip) -> ClipSignature:
    """Return a digest of a clip's pictures, and three of them, small and grey."""
    digest = hashlib.sha256(str(clip.crops.shape).encode())
    digest.update(np.ascontiguousarray(clip.crops).data)
    last = len(clip.crops) - 1
    thumbs = [
        cv2.resize(
            cv2.cvtColor(clip.crops[round(last * moment)], cv2.COLOR_RGB2GRAY),
            (THUMB_PX, THUMB_PX),
            interpolation=cv2.INTER_AREA,
        )
        for moment in _MOMENTS
    ]
    return ClipSignature(digest.hexdigest(), np.stack(thumbs).astype(np.uint8))


def sign_prepared(prepared: PreparedSet, folder: Path) -> list[ClipSignature]:
    """Sign every clip of a prepared set, in order; kept in `folder` for the next time.

    Raises:
        ValueError: A clip is missing or damaged.
    """
    file = folder / f"signatures-{prepared.fingerprint}.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            return [
                ClipSignature(str(digest), thumbs)
                for digest, thumbs in zip(kept["digests"], kept["thumbs"], strict=True)
            ]
    rows = tqdm(
        range(len(prepared)), desc="looking for twins", unit="clip", leave=False, disable=None
    )
    signatures = [sign_clip(prepared.load(i)) for i in rows]
    write_atomically(file, _packed(signatures))
    return signatures


def _packed(signatures: Sequence[ClipSignature]) -> bytes:
    data = io.BytesIO()
    np.savez_compressed(
        data,
        digests=np.array([signature.digest for signature in signatures]),
        thumbs=np.stack([signature.thumbs for signature in signatures]),
    )
    return data.getvalue()


def clip_twins(
    signatures: Sequence[ClipSignature], subjects: Sequence[str], config: TwinConfig | None = None
) -> Int[np.ndarray, " n"]:
    """Number the clips so that those with the same number show the same.

    The same pictures are twins wherever they are; near-equal ones (as `TwinConfig` has it, at three
    moments) only under two subjects: two takes of one person may well look alike.
    """
    config = config or TwinConfig()
    near: set[tuple[int, int]] | None = None
    exact = np.zeros(0, dtype=np.int64)
    for moment in range(len(_MOMENTS)):
        signed = [Signature(s.digest, s.thumbs[moment]) for s in signatures]
        found = find_twins(signed, config)
        exact = found.exact
        pairs = {(int(a), int(b)) for a, b in found.near_pairs if subjects[a] != subjects[b]}
        near = pairs if near is None else near & pairs
    links = sorted(near or ())
    graph = coo_matrix(
        (np.ones(len(links), dtype=bool), ([a for a, _ in links], [b for _, b in links])),
        shape=(len(signatures), len(signatures)),
    )
    by_digest = coo_matrix(
        (np.ones(len(exact), dtype=bool), (np.arange(len(exact)), _first_of(exact))),
        shape=graph.shape,
    )
    return np.asarray(connected_components(graph + by_digest, directed=False)[1], dtype=np.int64)


def _first_of(numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(first[inverse.ravel()], dtype=np.int64)
