"""A real Chromium without a window, driven by its DevTools protocol, with a film for a camera."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
from websockets.sync.client import ClientConnection, connect


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next(filter(None, map(shutil.which, names)), None)


def write_y4m(path: Path, images: Iterable[np.ndarray], frame_rate_hz: int) -> None:
    """Write RGB images as Chromium's fake camera takes them: planes of Y, U and V, uncompressed."""
    with path.open("wb") as file:
        for number, image in enumerate(images):
            height, width = (side // 2 * 2 for side in image.shape[:2])
            if number == 0:
                header = f"YUV4MPEG2 W{width} H{height} F{frame_rate_hz}:1 Ip A1:1 C420jpeg\n"
                file.write(header.encode())
            planes = cv2.cvtColor(image[:height, :width], cv2.COLOR_RGB2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())


class Page:
    """One tab. What the page complains of is kept in `complaints`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._next = socket, 1
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **options: Any) -> dict[str, Any]:
        number, self._next = self._next, self._next + 1
        self._socket.send(json.dumps({"id": number, "method": method, "params": options}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"])[:600])

    def go(self, address: str) -> None:
        """Open an address, and wait until all of it has come."""
        self.do("Page.navigate", url=address)
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            self._hear(message)
            if message.get("method") == "Page.loadEventFired":
                return

    def ask(self, script: str) -> Any:
        """Return what an expression comes to."""
        said = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait_for(self, script: str, within_s: float = 60.0) -> Any:
        """Return what an expression comes to once that is true."""
        end = time.monotonic() + within_s
        while not (value := self.ask(script)):
            assert time.monotonic() < end, f"{script} is still {value!r}; {self.complaints}"
            time.sleep(0.05)
        return value

    def resize(self, width: int, height: int, is_dark: bool = False, scale: float = 1.0) -> None:
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = "dark" if is_dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.do("Emulation.setEmulatedMedia", features=features)

    def press(self, key: str) -> None:
        code = {"Tab": 9, "Enter": 13, " ": 32}[key]
        text = {"Tab": "", "Enter": "\r", " ": " "}[key]
        for kind in ("keyDown", "keyUp"):
            words = {"type": kind, "key": key, "windowsVirtualKeyCode": code}
            self.do("Input.dispatchKeyEvent", **words, **({"text": text} if text else {}))

    def choose_file(self, selector: str, path: Path) -> None:
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path, full: bool = True) -> None:
        shot = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def open_page(chromium: str, folder: Path, address: str, camera: Path) -> Iterator[Page]:
    """Open an address in a browser whose camera shows a film, over and over."""
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        "about:blank",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_tab(folder, process), max_size=None) as socket:
                page = Page(socket)
                page.go(address)
                yield page
        finally:
            process.terminate()
            process.wait(timeout=20)


def _tab(folder: Path, process: subprocess.Popen[bytes]) -> str:
    told = folder / "DevToolsActivePort"
    for _ in range(600):
        if told.is_file() and told.read_text().strip():
            break
        assert process.poll() is None, "Chromium ended at once"
        time.sleep(0.1)
    port = int(told.read_text().splitlines()[0])
    with urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
        tabs = json.load(answer)
    return next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")
