"""What fine-tuning is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from emotemporal.train.features import ViewConfig
from emotemporal.train.heads import HeadConfig
from emotemporal.train.optim import refuse_encoder_options
from emotemporal.train.run import RunConfig


@dataclass(frozen=True)
class FinetuneConfig:
    """Fine-tune a temporal head on prepared clips of faces."""

    checkpoint: str
    """The frame encoder, from 'pretrain'."""
    data: str
    """The folder that 'prepare' made."""
    labels: str = "savee7"
    """A preset (affectnet8, savee7) or names with commas. Clips of other emotions are left out."""
    held_out: tuple[str, ...] = ()
    """Subjects that this run never sees: those it will be judged on."""
    validation: tuple[str, ...] = ()
    """Subjects that choose the best epoch; none: the last epoch is kept."""
    validation_data: str = ""
    """In their place: another prepared folder, all of whose clips choose the best epoch. It shares
    no source, subject or still with `data`."""
    truth: str = ""
    """A CSV of source,start_s,end_s,emotion: what is shown when, for heads that shall follow
    changes; empty: each clip shows its label throughout, or, of streams, what they tell."""
    head: HeadConfig = field(default_factory=HeadConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    train_encoder: bool = False
    """Train the encoder too, on frames (`head.optim.freeze_epochs`, `layer_decay` apply); else
    the head alone, on features that are computed once."""
    cache: str = "runs/features"
    """Where a frozen encoder's features are kept."""
    seed: int = 0
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        both = sorted({*self.held_out} & {*self.validation})
        if both:
            raise ValueError(
                f"{', '.join(both)}: held out and validation at once. Selection never looks at "
                "what is reported; choose other validation subjects."
            )
        if self.train_encoder and self.head.clips_per_stream > 1:
            raise ValueError("clips_per_stream above 1 needs features: set train_encoder to false")
        if self.truth and self.head.model.answer == "last":
            raise ValueError(
                "with truth over time a clip need not end as it is labelled: set "
                "head.model.answer to mean"
            )
        if self.train_encoder and self.truth:
            raise ValueError("truth over time needs features: set train_encoder to false")
        if self.train_encoder and self.head.model.has_frame_classifier:
            raise ValueError("a frame classifier that stands still needs an encoder that does")
        if self.validation and self.validation_data:
            raise ValueError("validation and validation_data both choose the epoch; give one")
        if not self.train_encoder:
            self._refuse_what_an_encoder_learns_by()

    def _refuse_what_an_encoder_learns_by(self) -> None:
        refuse_encoder_options(self.head.optim)
        if self.run.channels_last or self.run.compile:
            raise ValueError("channels_last and compile are of an encoder that trains")
