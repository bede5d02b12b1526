"""A server of the page in a thread, with a network that reads colours, and clients of it."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.load import LoadedModel
from emotemporal.live.serve.app import build_app
from emotemporal.live.serve.config import ServeConfig
from emotemporal.live.serve.house import House
from emotemporal.live.serve.messages import pack_frame
from emotemporal.live.serve.run import listen, make_server
from emotemporal.models.meta import read_meta
from tests.fakes import FakeEngine

HAAR = DetectorConfig("haar")


def colour_model(checkpoint: Path, engine: Any = None) -> LoadedModel:
    """Describe a checkpoint's network, and judge by the crop's mean colour."""
    meta = read_meta(checkpoint)
    return LoadedModel(engine or FakeEngine(meta.labels, sharpness=20.0), meta, checkpoint, "torch")


@contextmanager
def serving(model: LoadedModel, token: str | None = None, **options: Any) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, and give the port."""
    config = ServeConfig(port=0, detector=HAAR, token=token, **options)
    with listen(config.host, config.port) as listener:
        server = make_server(build_app(House(model, config), token), config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive()


class Client:
    """What a page does, in Python."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        ready = self.hear()
        assert ready["type"] == "ready", ready
        self.csv_header = ready["csv_header"]

    def hear(self) -> dict[str, Any]:
        return json.loads(self.socket.recv(timeout=60))

    def say(self, **words: Any) -> None:
        self.socket.send(json.dumps(words))

    def send(self, time_s: float, jpeg: bytes) -> None:
        self.socket.send(pack_frame(time_s, jpeg))

    def show(self, time_s: float, jpeg: bytes) -> dict[str, Any]:
        self.send(time_s, jpeg)
        return self.hear()


@contextmanager
def visiting(port: int, **options: Any) -> Iterator[Client]:
    with dial(port, **options) as socket:
        yield Client(socket)


def dial(port: int, origin: str | None = "", **options: Any) -> ClientConnection:
    """Connect as the server's own page does; another origin where one is named."""
    own = f"http://127.0.0.1:{port}"
    return connect(
        f"ws://127.0.0.1:{port}/camera",
        origin=own if origin == "" else origin,  # type: ignore[arg-type]
        max_size=None,
        compression=None,
        **options,
    )


def as_jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=92)
    return out.getvalue()


def ask(port, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def judge(port, name, body, **headers):
    return ask(port, f"/judge?name={quote(name)}", "POST", body, **headers)
