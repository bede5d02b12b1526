"""Data sets small enough to train on in seconds, in the layouts that jobs read."""

from __future__ import annotations

from pathlib import Path

from emotemporal.data.prepare import PrepareConfig, load_prepared, prepare
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.synthetic.affectnet import write_affectnet
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig
from emotemporal.synthetic.savee import REVERSED_PAIR, SyntheticSaveeConfig, write_savee


def draw_affectnet(root: Path, num_images: int = 48) -> Path:
    """Draw a few images of 64 px."""
    config = SyntheticAffectNetConfig(num_images=num_images, num_validation=16, image_px=64)
    write_affectnet(root, config)
    return root


def prepare_savee(folder: Path, crop_px: int | None = None) -> Path:
    """Draw a few clips of four speakers and cut the faces out."""
    clips = SyntheticSaveeConfig(
        clips_per_emotion=1, duration_s=0.8, frame_rate_hz=15, emotions=REVERSED_PAIR
    )
    write_savee(folder / "savee", clips)
    table = read_dataset(DatasetConfig(name="savee", root=str(folder / "savee")))
    follow = FollowConfig(detector=DetectorConfig(name="haar"))
    prepare(
        table,
        folder / "prepared",
        PrepareConfig(follow=follow, boxes="steady", min_detected_share=0.1),
    )
    assert len(load_prepared(folder / "prepared")) == 8
    return folder / "prepared"
