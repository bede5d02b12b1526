"""`serve`: open the network and the door, say where the page is, and listen until stopped."""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emotemporal.inference.load import load_model
from emotemporal.live.serve.config import ServeConfig, is_loopback, settle_token

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

_log = logging.getLogger(__name__)


class MissingExtraError(ValueError):
    """A package of the extra `web` is not installed."""


def serve(config: ServeConfig) -> None:
    """Serve the page until ctrl-C or SIGTERM.

    Raises:
        MissingExtraError: starlette, uvicorn or websockets are not installed.
        CheckpointError: The checkpoint cannot be used.
        FileNotFoundError: A certificate, a token file or the checkpoint is missing.
        OSError: The address is in use, or not this machine's.
    """
    require_web()
    from emotemporal.live.serve.app import build_app
    from emotemporal.live.serve.house import House

    token = settle_token(config)
    for path in filter(None, (config.certfile, config.keyfile)):
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: there is no such file; HTTPS needs it")
    listener = listen(config.host, config.port)
    with listener:
        model = load_model(config.checkpoint, config.engine, config.device, config.num_threads)
        app = build_app(House(model, config), token)
        _log.info("%s", model)
        _log.info("the page: %s", address(config, listener.getsockname()[1], token))
        _log.info("ctrl-C ends it; nothing that is sent to it is kept, and no visit is logged")
        if not is_loopback(config.host) and config.certfile is None:
            _log.warning(
                "without --certfile other machines' browsers give the page no camera, and "
                "whoever is on the way can watch; docs/serve.md says how to have HTTPS"
            )
        with _quiet("emotemporal.faces.detect"):  # each visit has a detector; it has been told once
            make_server(app, config).run(sockets=[listener])


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def make_server(app: Starlette, config: ServeConfig) -> uvicorn.Server:
    """Return what listens, with the limits that only it can keep."""
    import uvicorn

    options = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ssl_certfile=config.certfile,
        ssl_keyfile=config.keyfile,
        # Refused while it comes in, not after it was all held in memory.
        ws_max_size=1024 * config.limits.max_message_kb,
        ws_max_queue=4,
        ws_per_message_deflate=False,  # a JPEG is compressed already
        # Ours are counted by place, with words; this is against those that open and never speak.
        limit_concurrency=16 * (config.limits.max_connections + config.limits.max_uploads),
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return uvicorn.Server(options)


def require_web() -> None:
    """Refuse to go on without the packages that a page needs.

    Raises:
        MissingExtraError: They are named, with the command that installs them.
    """
    wanted = ("starlette", "uvicorn", "websockets")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the page needs {', '.join(missing)}: pip install 'emotemporal[web]'"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; before the network is loaded, so that a taken port is told.

    Raises:
        OSError: The address is in use, or not this machine's; it is named.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another --port"
        ) from error
    return listener


def address(config: ServeConfig, port: int, token: str | None) -> str:
    """Return the link to open. A token is behind the #, which browsers send to nobody."""
    is_everywhere = config.host in ("0.0.0.0", "::", "")
    host = socket.gethostname() if is_everywhere else config.host
    name = f"[{host}]" if ":" in host else host
    scheme = "https" if config.certfile else "http"
    return f"{scheme}://{name}:{port}/" + (f"#token={token}" if token else "")
