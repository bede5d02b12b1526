"""What pretraining is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.augmentation.mix import MixConfig
from emotemporal.data.images import ChangeOn
from emotemporal.data.readers import DatasetConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.models.meta import ModelConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.train.image_tables import SelectOn
from emotemporal.train.optim import OptimConfig, refuse_encoder_options
from emotemporal.train.run import RunConfig


@dataclass(frozen=True)
class PretrainConfig:
    """Pretrain a frame encoder on images of faces."""

    data: DatasetConfig
    labels: str = "affectnet8"
    """A preset (affectnet8, savee7) or names with commas."""
    select_on: SelectOn = "train_share"
    """What chooses the best epoch: a held-out share of the training set, or the official
    validation set (as peers do, which flatters the figure; the log says so)."""
    validation_share: float = 0.05
    """Of the training set, held out with subjects and twins kept together."""
    max_per_class: int | None = None
    """At most so many training images an emotion."""
    train_share: float = 1.0
    """Train on this share of each emotion's images, drawn once by the seed: for ablations."""
    model: ModelConfig = field(default_factory=ModelConfig)
    init: str = "none"
    """none, imagenet, or a file of weights from elsewhere (.pth, .safetensors)."""
    freeze_encoder: bool = False
    """Train the classifier alone, on the encoder that `init` gives."""
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    early_size_px: int | None = None
    """Size of the input in the first epochs, which are most of them and cheap; none: the same."""
    early_share: float = 0.6
    """Share of the epochs that train at `early_size_px`."""
    crop: CropConfig = field(default_factory=CropConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    augment_on: ChangeOn = "loader"
    """`device`: a batch at a time, at the network's size, so that a GPU does not wait; only far
    cameras and JPEG are left to the loader."""
    mix: MixConfig = field(default_factory=MixConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    cache_mb: int = 1024
    """Memory for decoded crops of training, and the same of validation. Of training none are kept
    with `run.num_workers` above 0: loading processes start anew each epoch."""
    packed: str = ""
    """A folder for decoded crops, as raw uint8 (27 kB an image at 96 px, 150 at 224): filled by
    the first run, mapped by all later ones; in place of `cache_mb`. Empty: none."""
    clip_rate_hz: float = 10.0
    """How often the live system shall ask the frame model; a clip model has its own."""
    seed: int = 0
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.model.head != "frame":
            raise ValueError(
                f"pretrain trains on single images; model.head is {self.model.head!r}, not 'frame'"
            )
        if self.freeze_encoder:
            refuse_encoder_options(self.optim)
        if not 0 < self.validation_share < 0.5:
            raise ValueError(
                f"validation_share is {self.validation_share}; it can be above 0, below 0.5"
            )
        if not 0 < self.train_share <= 1:
            raise ValueError(f"train_share is {self.train_share}; it can be above 0, up to 1")
        if not 0 <= self.early_share <= 1:
            raise ValueError(f"early_share is {self.early_share}; it can be 0 to 1")

    def preprocess_in(self, epoch: int) -> PreprocessConfig:
        """Return what an epoch of training, counted from 0, is given."""
        is_early = epoch < round(self.optim.epochs * self.early_share)
        if self.early_size_px is None or not is_early:
            return self.preprocess
        return replace(self.preprocess, size_px=self.early_size_px)
