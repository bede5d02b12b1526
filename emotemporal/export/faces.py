"""Pictures to calibrate and to check with, which anyone may have: drawn faces, and noise."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from emotemporal.faces.crop import crop_face
from emotemporal.models.meta import CheckpointMeta
from emotemporal.preprocess import preprocess
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig, draw_image


def drawn_crops(
    meta: CheckpointMeta, num_faces: int, seed: int = 0
) -> UInt8[np.ndarray, "b n n 3"]:
    """Return drawn faces as the network sees them: many people, all emotions in turn."""
    config = SyntheticAffectNetConfig(seed=seed)
    crop_map = meta.crop.map_of("annotation")
    crops = []
    for index in range(num_faces):
        drawn = draw_image(config, "validation", index)
        crops.append(crop_face(drawn.picture, drawn.box, crop_map, meta.crop.size_px))
    return preprocess(np.stack(crops), meta.preprocess)


def random_crops(
    meta: CheckpointMeta, num_crops: int, seed: int = 0
) -> UInt8[np.ndarray, "b n n 3"]:
    """Return noise on grounds of any colour: nothing like a face, and all the range of pixels."""
    generator = np.random.default_rng([seed, 2])
    size = meta.preprocess.size_px
    grounds = generator.integers(0, 256, (num_crops, 1, 1, 3))
    noise = generator.integers(-64, 65, (num_crops, size, size, 3))
    return preprocess(np.clip(grounds + noise, 0, 255).astype(np.uint8), meta.preprocess)
