"""Tiny data sets in the layouts of the large ones."""

from __future__ import annotations

import csv
import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def picture(seed: int, size: int = 48) -> np.ndarray:
    """Blobs: smooth enough to survive a JPEG, and different for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def write_image(path: Path, seed: int, size: int = 48) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path)
    return path


def cut_off(path: Path, share: float = 0.5) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def write_video(path: Path, seed: int = 0, num_frames: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".avi": "MJPG"}.get(path.suffix, "mp4v")
    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25.0, (64, 48))
    for index in range(num_frames):
        writer.write(picture(1000 * seed + index, 64)[:48])
    writer.release()
    return path


def declare_frames(avi: Path, num_frames: int) -> Path:
    """Make an AVI say that it has another number of frames."""
    data = avi.read_bytes()
    at = data.index(b"strh") + 4 + 36
    avi.write_bytes(data[:at] + struct.pack("<I", num_frames) + data[at + 4 :])
    return avi


def write_affectnet_csv(
    root: Path,
    rows: Sequence[tuple[str, int]] = (("1/a.jpg", 1), ("1/b.jpg", 4), ("2/c.jpg", 9)),
    name: str = "training.csv",
    header: bool = True,
) -> Path:
    lines = [AFFECTNET_HEADER] if header else []
    for number, (path, label) in enumerate(rows):
        seed = number + 100 * (name == "validation.csv")
        write_image(root / "Manually_Annotated_Images" / path, seed)
        lines.append(f'{path},4,6,30,32,"1;2;3;4",{label},0.5,-2')
    (root / name).write_text("\n".join(lines) + "\n")
    return root


def write_affectnet_npy(root: Path) -> Path:
    for folder, labels in (("train_set", (0, 3, 7)), ("val_set", (5,))):
        (root / folder / "annotations").mkdir(parents=True)
        for number, label in enumerate(labels):
            write_image(root / folder / "images" / f"{number}.jpg", number + 10 * label)
            texts = {"exp": str(label), "val": "0.25", "aro": "-2", "lnd": "0"}
            for short, text in texts.items():
                np.save(root / folder / "annotations" / f"{number}_{short}.npy", np.array(text))
    return root


def write_folders(root: Path, counts: dict[str, int], split: str = "train") -> Path:
    """One folder a name; the images are as many as told, and all differ."""
    seed = 0
    for name, count in counts.items():
        for number in range(count):
            # Only names and counts matter here: a few bytes an image.
            path = root / split / name / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(seed, 16)).save(path)
            seed += 1
    return root


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_savee(root: Path, names: Sequence[str] = ("DC/a1", "DC/sa2", "JE/su3", "JE/n4")) -> Path:
    for seed, name in enumerate(names):
        write_video(root / "AudioVisualClip" / f"{name}.avi", seed)
    return root
