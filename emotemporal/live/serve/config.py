"""What a server is told: where it listens, who may come in, how much each may ask of it."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.load import EngineChoice
from emotemporal.inference.pick import refuse_both
from emotemporal.inference.predictor import StreamConfig
from emotemporal.inference.smoothing import SmoothingConfig

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True)
class LimitsConfig:
    """How much is taken, of each and of all. What goes beyond is refused, and the reason told."""

    max_connections: int = 8
    """Cameras at a time; the next one is told to come back later."""
    max_message_kb: int = 1024
    """Of one frame or word from the page; a longer one ends its connection."""
    max_frame_px: int = 1_000_000
    """Pixels of a frame. The page sends 640 columns."""
    max_messages_per_s: float = 60.0
    """A connection that sends more is ended; two seconds' worth may come in one burst."""
    idle_s: float = 120.0
    """A connection or an upload that says nothing for this long gives its place away."""
    max_upload_mb: int = 200
    """Of a video or an image that is handed over to be judged."""
    max_upload_px: int = 9_000_000
    """Pixels of its frames; 3840 x 2160 fit."""
    max_uploads: int = 2
    """Files judged at a time."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be above 0, or nobody is served")


@dataclass(frozen=True)
class ServeConfig:
    """Serve a page that judges a camera or a file in the browser. Nothing is kept.

    Other machines reach it only where a host and a token are both given.
    """

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is all of this machine's, and needs a token."""
    port: int = 8765
    token: str | None = None
    """Word that lets in: 16 or more letters, digits, - and _. `auto` draws one. It stands in the
    link that is printed. Others on this machine may see this option, but not a `token_file`."""
    token_file: str | None = None
    """A file that holds the token and nothing else."""
    certfile: str | None = None
    """Certificate for HTTPS, PEM. Browsers give other machines' pages no camera without."""
    keyfile: str | None = None
    """The certificate's key, where it is not in the same file."""
    allowed_hosts: str = ""
    """Names under which the page may be asked for, with commas, beside this machine's own: those
    of a reverse proxy. A token is needed then."""
    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; of the model that ships, the fastest installed."""
    device: str = "cpu"
    """Where the network runs: `cpu`, `cuda`, `cuda:1` or `mps`."""
    num_threads: int = 1
    """Threads of the network on a CPU, in each worker."""
    workers: int = 2
    """Threads that judge; connections take turns."""
    prior: str = StreamConfig.prior
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    """What a page starts with; it can choose another."""
    max_lag: float | None = None
    """In place of `smoothing`: the steadiest setting of the checkpoint's smoothing card whose
    median lag in seconds is at most this."""
    warm_up_s: float = StreamConfig.warm_up_s
    """A head with memory says nothing for this long at a stream's start."""
    min_probability: float | None = StreamConfig.min_probability
    """Below this top probability a judgement is uncertain. Not given: what `calibrate` found."""
    hidden: str | None = StreamConfig.hidden
    """Emotions that are not shown by name, with commas. Not given: as the checkpoint says."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    min_face_px: float = FollowConfig.min_face_px
    """Faces whose height in the picture is less are followed, and told as too small to judge."""
    max_faces: int = 8
    """Of a connection, at most so many are judged: those followed longest. The others wait."""
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; it is 1 to 65535, or 0 for any that is free")
        if min(self.workers, self.num_threads, self.max_faces) < 1:
            raise ValueError(
                f"workers is {self.workers}, num_threads {self.num_threads}, max_faces "
                f"{self.max_faces}; each is at least 1"
            )
        if self.keyfile and not self.certfile:
            raise ValueError(f"keyfile is {self.keyfile} without a certfile; HTTPS needs both")
        self._refuse_open_door()
        refuse_both(self.smoothing, self.max_lag)
        self.stream_config()

    def _refuse_open_door(self) -> None:
        if self.token and self.token_file:
            raise ValueError("token and token_file are both given; one of them says the token")
        if self.token not in (None, "auto") and not _TOKEN.fullmatch(self.token or ""):
            raise ValueError(
                "the token must be 16 to 128 letters, digits, - and _; 'auto' draws a good one"
            )
        if self.token or self.token_file:
            return
        if not is_loopback(self.host):
            raise ValueError(
                f"host is {self.host}, which other machines reach: give a token as well "
                "('--token auto' draws one), or leave out the host to serve this machine alone"
            )
        if self.allowed_hosts:
            raise ValueError(
                f"allowed_hosts is {self.allowed_hosts!r}, so others come through a proxy: give a "
                "token as well ('--token auto' draws one)"
            )

    @property
    def names(self) -> frozenset[str]:
        """Host names that are this server's beside this machine's own."""
        return frozenset(n.strip().lower() for n in self.allowed_hosts.split(",") if n.strip())

    def stream_config(self) -> StreamConfig:
        """Return how streams are judged until a page asks for another smoother."""
        return StreamConfig(
            self.prior,
            self.smoothing,
            self.warm_up_s,
            self.tracker.max_unseen_s,
            self.min_probability,
            self.hidden,
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address reaches no further than this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settle_token(config: ServeConfig) -> str | None:
    """Return the token in force: the one given, read or drawn; None where none is asked for.

    Raises:
        FileNotFoundError: There is no such token file.
        ValueError: It holds no token.
    """
    if config.token_file is not None:
        path = Path(config.token_file)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such token file")
        read = path.read_text(encoding="utf-8").strip()
        if not _TOKEN.fullmatch(read):
            raise ValueError(
                f"{path}: a token is 16 to 128 letters, digits, - and _, and nothing else"
            )
        return read
    return secrets.token_urlsafe(18) if config.token == "auto" else config.token
