"""Draw and prepare the sets of this experiment, and the encoder that judges their frames.

    python draw.py FOLDER [PROCESSES]

Leaves in FOLDER: `prepared/savee` (480 clips, 4 speakers), `prepared/people` (480, 20 speakers),
`prepared/signal_0` to `_100` (80 clips each: the pair alone, at four strengths of what tells it
apart), `encoder/best.safetensors`. Started again, it goes on where it was.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.prepare import PrepareConfig, prepare
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.synthetic.affectnet import write_affectnet
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig
from emotemporal.synthetic.savee import REVERSED_PAIR, SyntheticSaveeConfig, write_savee
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig

_PAIR = SyntheticSaveeConfig(clips_per_emotion=10, emotions=REVERSED_PAIR)
SETS = {
    "savee": SyntheticSaveeConfig(seed=1),
    "people": SyntheticSaveeConfig(num_speakers=20, clips_per_emotion=3, seed=2),
    "signal_0": replace(_PAIR, signal=0.0, seed=3),
    "signal_25": replace(_PAIR, signal=0.25, seed=4),
    "signal_50": replace(_PAIR, signal=0.5, seed=5),
    "signal_100": replace(_PAIR, signal=1.0, seed=6),
}


def main(folder: Path, workers: int) -> None:
    """Draw what is not drawn yet, and train the encoder."""
    write_affectnet(folder / "images", SyntheticAffectNetConfig(num_images=2000), workers)
    pretrain(_encoder(folder))
    settings = PrepareConfig(
        # The cascade that ships with OpenCV finds the same boxes everywhere; steady, so that crops
        # do not tell the order of frames.
        follow=FollowConfig(detector=DetectorConfig(name="haar")),
        boxes="steady",
        min_detected_share=0.2,
        max_bad_share=0.0,
    )
    for name, config in SETS.items():
        write_savee(folder / name, config, workers)
        table = read_dataset(DatasetConfig(name="savee", root=str(folder / name)))
        prepare(table, folder / "prepared" / name, settings, workers)


def _encoder(folder: Path) -> PretrainConfig:
    return PretrainConfig(
        data=DatasetConfig(name="affectnet", root=str(folder / "images")),
        preprocess=PreprocessConfig(size_px=48),
        augment=AugmentConfig(rotation_deg=15.0),
        optim=OptimConfig(epochs=10, batch_size=32, learning_rate=2e-3),
        run=RunConfig(out=str(folder / "encoder"), tracking=TrackingConfig(wandb="off")),
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
