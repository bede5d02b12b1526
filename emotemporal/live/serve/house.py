"""What all connections share: the network, the threads, the number of places."""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emotemporal import __version__
from emotemporal.inference.card import CardError, SmoothingCard
from emotemporal.inference.card_inside import find_card
from emotemporal.inference.load import LoadedModel
from emotemporal.inference.pick import describe, pick_smoothing
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.overlay.scene import HISTORY_S
from emotemporal.live.serve.config import ServeConfig
from emotemporal.live.serve.controls import offered, to_smoothing
from emotemporal.live.serve.messages import Choice, tell_labels
from emotemporal.live.serve.session import Session
from emotemporal.live.serve.share import FairShare
from emotemporal.video.isolated import VideoProcess

_STALL_S = 15.0  # of a worker's thread, too
_log = logging.getLogger(__name__)


class FullError(Exception):
    """All places are taken; the message says so to whoever came too late."""


class Places:
    """A number of places that are taken and given back."""

    def __init__(self, count: int, what: str) -> None:
        self._count, self._what = count, what
        self.num_taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            FullError: None is left.
        """
        if self.num_taken >= self._count:
            raise FullError(
                f"all {self._count} places for {self._what} are taken; try again in a while"
            )
        self.num_taken += 1
        try:
            yield
        finally:
            self.num_taken -= 1


class House:
    """Everything that outlives a connection. Of those who visit, it keeps nothing.

    Raises:
        CardError: `max_lag` is given, and the smoothing card cannot be used.
        ValueError: An option does not suit the checkpoint.
    """

    def __init__(self, model: LoadedModel, config: ServeConfig) -> None:
        self.model, self.config = model, config
        self.stream: StreamConfig = pick_smoothing(
            config.stream_config(), config.max_lag, model.path, model.meta
        )
        self.card = _card(model)
        self._decoders: list[VideoProcess] = []
        self.share = FairShare(config.workers)
        self.cameras = Places(config.limits.max_connections, "cameras")
        self.uploads = Places(config.limits.max_uploads, "files")
        # Refuses now what would else be refused to every visitor, and says which detector it is.
        self.new_session()
        self._caution = StreamPredictor(model.engine, model.meta, self.stream).caution

    def new_session(self, stream: StreamConfig | None = None) -> Session:
        """Return a pipeline of its own for somebody who has just come."""
        return Session(self.model, self.config, stream or self.stream)

    @contextmanager
    def decoder(self) -> Iterator[VideoProcess]:
        """Lend a process that decodes videos: a hostile one must not end everybody's visit."""
        process = self._decoders.pop() if self._decoders else VideoProcess(stall_s=_STALL_S)
        try:
            yield process
        finally:
            self._decoders.append(process)

    def close(self) -> None:
        """End threads and processes."""
        self.share.close()
        for process in self._decoders:
            process.close()

    def smoothing(self, choice: Choice) -> SmoothingConfig:
        """Return the setting that a page asks for.

        Raises:
            MessageError: It cannot be had.
        """
        return to_smoothing(choice, self.card, self.stream.smoothing)

    def tell_smoothing(self, smoothing: SmoothingConfig) -> dict[str, Any]:
        """Return a setting in words, with what it was measured to do, if it was."""
        entries = self.card.entries if self.card else ()
        found = next((e.tested or e.tuned for e in entries if e.smoothing == smoothing), None)
        told: dict[str, Any] = {"type": "smoothing", "told": describe(smoothing), "lag_s": None}
        if found is not None and math.isfinite(found.median_lag_s):
            told["lag_s"] = round(found.median_lag_s, 2)
            told["missed_share"] = round(found.missed_share, 3)
        return told

    def about(self) -> dict[str, Any]:
        """Return what a page needs to know before it asks for a camera."""
        limits = self.config.limits
        return {
            "version": __version__,
            "machine": socket.gethostname(),
            "model": self.model.path.name,
            "digest": self.model.digest[:12],
            "labels": tell_labels(self.model.meta.labels, self._caution),
            "smoothing": self.tell_smoothing(self.stream.smoothing),
            "controls": [vars(control) for control in offered(self.card)],
            "history_s": HISTORY_S,
            "max_upload_mb": limits.max_upload_mb,
            "max_frame_kb": limits.max_message_kb,
        }


def _card(model: LoadedModel) -> SmoothingCard | None:
    try:
        return find_card(model.path, model.meta)
    except CardError as error:
        _log.warning("%s. The page offers no lag to keep to", error)
        return None
