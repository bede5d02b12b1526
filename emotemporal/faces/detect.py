"""Face detectors behind one protocol. Stateless: the same image gives the same boxes."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.storage import file_digest
from emotemporal.types import Box

_log = logging.getLogger(__name__)

YUNET_DIGESTS = {
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4": "2023mar",
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0": "2026may",
}
"""SHA-256 of the files known to be YuNet. Source: OpenCV Zoo, models/face_detection_yunet."""
_YUNET_REMEDY = (
    "Fetch face_detection_yunet_2023mar.onnx from OpenCV Zoo (models/face_detection_yunet) and "
    "name it in the option yunet_file or in the environment variable EMOTEMPORAL_YUNET, or choose "
    "'haar'."
)


@dataclass(frozen=True)
class DetectorConfig:
    """Which face detector, and how hard it looks."""

    name: Literal["auto", "haar", "yunet"] = "auto"
    """`auto` is YuNet where its file is at hand, else Haar; the program says which."""
    yunet_file: str | None = None
    """Else the environment variable EMOTEMPORAL_YUNET, else the user's cache folder."""
    yunet_width_px: int = 480
    """Wider frames are reduced to this before the search; boxes are given in the frame's pixels."""
    haar_width_px: int = 320
    """The same for Haar, whose time and false finds grow faster with the width."""
    min_size_px: float = 16.0
    """Faces whose height, in the frame's pixels, is less are left out. From this height up to
    `min_face_px` they are followed, and not judged."""
    yunet_score: float = 0.5
    """Boxes with a lower score are left out. It is enough to go on with a face that is followed
    already; a new one needs the tracker's `start_score`."""
    haar_neighbours: int = 3
    """How many overlapping hits make a box; twice as many have the score 0.7."""

    def __post_init__(self) -> None:
        if not (64 <= self.yunet_width_px <= 8192 and 64 <= self.haar_width_px <= 8192):
            raise ValueError(
                f"yunet_width_px is {self.yunet_width_px} and haar_width_px {self.haar_width_px}; "
                "both can be 64 to 8192"
            )
        if not 0 < self.yunet_score < 1:
            raise ValueError(f"yunet_score is {self.yunet_score}; it is between 0 and 1")
        if self.haar_neighbours < 1 or self.min_size_px < 1:
            raise ValueError(
                f"haar_neighbours is {self.haar_neighbours} and min_size_px {self.min_size_px}; "
                "both are at least 1"
            )


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces; the boxes come best first."""

    @property
    def name(self) -> str:
        """Key of its boxes in `CropConfig.maps`."""
        ...

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Box]:
        """Return the faces of an RGB image, best first."""
        ...


class HaarDetector:
    """OpenCV's frontal-face cascade. Ships with opencv-python 4; knows upright frontal faces only.

    Source: Viola and Jones 2001; Lienhart and Maydt 2002.
    """

    name = "haar"

    def __init__(self, config: DetectorConfig) -> None:
        self._config = config
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise FileNotFoundError(
                f"{path}: no cascade; install opencv-python 4 (5 has dropped it)"
            )

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Box]:
        """Return the faces of an RGB image, best first."""
        small, scale = _reduce(image, self._config.haar_width_px)
        least = max(1, round(self._config.min_size_px / scale))
        corners, hits = self._cascade.detectMultiScale2(
            cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)),
            scaleFactor=1.1,
            minNeighbors=self._config.haar_neighbours,
            minSize=(least, least),
        )
        boxes = [
            Box(x * scale, y * scale, (x + w) * scale, (y + h) * scale, self._score(int(n)))
            for (x, y, w, h), n in zip(corners, np.ravel(hits), strict=True)
        ]
        return _drop_nested(boxes)

    def _score(self, hits: int) -> float:
        # From 0 to 1 like YuNet's, so that one threshold serves the tracker: 0.7 at twice the
        # fewest hits that make a box.
        return round(hits / (hits + self._config.haar_neighbours * 6 / 7), 6)


class YuNetDetector:
    """YuNet through OpenCV: small, fast, finds turned and partly hidden faces too.

    Source: Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector".

    Raises:
        FileNotFoundError: Its file is not there.
        ValueError: The file is none of those in `YUNET_DIGESTS`.
    """

    name = "yunet"

    def __init__(self, config: DetectorConfig, file: Path) -> None:
        self._config = config
        if not file.is_file():
            raise FileNotFoundError(f"{file}: there is no such YuNet file. {_YUNET_REMEDY}")
        digest = file_digest(file)
        if digest not in YUNET_DIGESTS:
            raise ValueError(
                f"{file}: its SHA-256 is {digest}; accepted are {', '.join(YUNET_DIGESTS)}. "
                f"{_YUNET_REMEDY}"
            )
        self._net = cv2.FaceDetectorYN.create(str(file), "", (320, 320), config.yunet_score, 0.3)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Box]:
        """Return the faces of an RGB image, best first."""
        small, scale = _reduce(image, self._config.yunet_width_px)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        boxes = [
            Box(x * scale, y * scale, (x + w) * scale, (y + h) * scale, float(score))
            for x, y, w, h, score in rows[:, [0, 1, 2, 3, 14]].astype(float)
            if h * scale >= self._config.min_size_px and w > 0
        ]
        return sorted(boxes, key=lambda box: -box.score)


class OneAtATime:
    """A detector for several threads: OpenCV's keep the size of the image they are at."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector, self._lock = detector, threading.Lock()

    @property
    def name(self) -> str:
        """Key of its boxes in `CropConfig.maps`."""
        return self._detector.name

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Box]:
        """Return the faces of an RGB image, best first."""
        with self._lock:
            return self._detector(image)


def build_detector(config: DetectorConfig) -> FaceDetector:
    """Build the detector that `config` names; with `auto`, the better one at hand.

    Raises:
        FileNotFoundError: YuNet is asked for by name, or a file is named for it, and it is missing.
        ValueError: The YuNet file is not a known one.
    """
    if config.name == "haar":
        return HaarDetector(config)
    file = find_yunet(config)
    if file is not None:
        _log.info("faces are found by YuNet (%s)", file)
        return YuNetDetector(config, file)
    if config.name == "yunet":
        raise FileNotFoundError(f"no YuNet file at hand. {_YUNET_REMEDY}")
    _log.info(
        "faces are found by Haar's cascade: no YuNet file at hand. It is faster and finds turned "
        "heads: name it in EMOTEMPORAL_YUNET"
    )
    return HaarDetector(config)


def find_yunet(config: DetectorConfig) -> Path | None:
    """Return where YuNet's file is: option, environment, user's cache; None if nowhere.

    A file that is named is returned whether it exists or not, so that a wrong name is told.
    """
    named = config.yunet_file or os.environ.get("EMOTEMPORAL_YUNET")
    if named:
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "emotemporal"
    found = sorted(cache.glob("face_detection_yunet_*.onnx"))
    return found[-1] if found else None


def _reduce(
    image: UInt8[np.ndarray, "h w 3"], width_px: int
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], float]:
    """Return the image at most `width_px` wide, and by how much its pixels are larger."""
    height, width = image.shape[:2]
    if width <= width_px:
        return image, 1.0
    size_wh = (width_px, max(1, round(height * width_px / width)))
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), width / width_px


def _drop_nested(boxes: list[Box]) -> list[Box]:
    """Keep the best of boxes that lie mostly in one another: a nose is no second face."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(_overlap(box, other) < 0.5 for other in kept):
            kept.append(box)
    return kept


def _overlap(a: Box, b: Box) -> float:
    """Return the common area as a share of the smaller box."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(a.width_px * a.height_px, b.width_px * b.height_px)
