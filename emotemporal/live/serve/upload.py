"""A file that is handed over: judged frame by frame, told line by line, and deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from emotemporal.live.serve.config import LimitsConfig
from emotemporal.live.serve.house import FullError, House
from emotemporal.live.serve.session import Session
from emotemporal.types import Frame
from emotemporal.video.image import ImageError, read_image
from emotemporal.video.isolated import VideoProcess
from emotemporal.video.source import VideoError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mov", ".avi", ".mkv", ".m4v"})
_TELL_EVERY_S = 0.5  # of the video, between two lines without a judgement
_Steps = Generator[dict[str, Any] | None, None, None]
_END: dict[str, Any] = {"type": "end"}


class UploadError(ValueError):
    """A file that is refused, with the status to say so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def judge_upload(request: Request) -> Response:
    """Take a file's bytes as the request's body; answer one JSON object a line.

    The name, in the query, chooses how it is read; it is no path. The file lies in a folder of its
    own, which is deleted when the answer ends or the page leaves.
    """
    house: House = request.app.state.house
    with ExitStack() as stack:
        try:
            stack.enter_context(house.uploads.take())
            name = request.query_params.get("name", "")
            suffix = _suffix(name)
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="emotemporal-")))
            path = folder / f"upload{suffix}"
            decoder = stack.enter_context(house.decoder())
            await _receive(request, path, house.config.limits)
        except FullError as full:
            return PlainTextResponse(str(full), 503, {"Retry-After": "30"})
        except UploadError as error:
            return PlainTextResponse(str(error), error.status)
        except ClientDisconnect:
            return PlainTextResponse("the page left", 400)
        return _Answer(_Judging(house, path, name, decoder, stack.pop_all()))


def _suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
        known = ", ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        raise UploadError(415, f"{suffix or 'a file without an ending'} is not read here; {known}")
    return suffix


async def _receive(request: Request, path: Path, limits: LimitsConfig) -> None:
    limit = limits.max_upload_mb * 1_000_000
    too_long = UploadError(413, f"a file is at most {limits.max_upload_mb} MB; this one is longer")
    if int(request.headers.get("content-length") or 0) > limit:
        raise too_long
    size = 0
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.idle_s) as patience:
            with path.open("wb") as file:
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise too_long
                    await asyncio.to_thread(file.write, part)
                    patience.reschedule(loop.time() + limits.idle_s)
    except TimeoutError:
        raise UploadError(408, f"nothing more came for {limits.idle_s:g} s") from None
    if size == 0:
        raise UploadError(400, "the file is empty")


class _Answer(StreamingResponse):
    """Ends what it streams, however the page leaves: a generator left alone would end some day."""

    def __init__(self, judging: _Judging) -> None:
        super().__init__(judging.lines(), media_type="application/x-ndjson")
        self._judging = judging

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all lines, or as many as are wanted; one that does not read loses its place."""
        idle_s = self._judging.idle_s

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(idle_s):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            return
        finally:
            await self._judging.close()


class _Judging:
    """One file on its way through the pipeline, a frame a turn, so that cameras go on."""

    def __init__(
        self, house: House, path: Path, name: str, decoder: VideoProcess, stack: ExitStack
    ) -> None:
        self._house, self._path, self._name, self._stack = house, path, name, stack
        self._steps = _steps(house, path, decoder)
        self.idle_s = house.config.limits.idle_s
        self._under_way: asyncio.Future[dict[str, Any] | None] | None = None
        self._closing: asyncio.Future[None] | None = None

    async def lines(self) -> AsyncIterator[str]:
        """Give one JSON object a line; at the last, `done` or `failed`, nothing is left behind."""
        last = {"type": "done"}
        try:
            while (told := await self._next()) != _END:
                if told is not None:
                    yield _line(told)
        except (ImageError, VideoError) as error:
            # Where the file lay is nobody's business.
            last = {"type": "failed", "reason": str(error).replace(str(self._path), self._name)}
        await self.close()
        yield _line(last)

    async def close(self) -> None:
        """Wait for the frame in hand, then close the video, delete the file, give the place back.

        Deleting it under a decoder's hands would fail on some systems.
        """
        # Not broken off with whoever waits for it, and done once.
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._under_way is not None:
            await asyncio.wait([self._under_way])
        await asyncio.to_thread(self._steps.close)
        self._house.share.forget(self)
        self._stack.close()

    async def _next(self) -> dict[str, Any] | None:
        work = partial(next, self._steps, _END)
        self._under_way = asyncio.ensure_future(self._house.share.run(self, work))
        return await asyncio.shield(self._under_way)


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told) + "\n"


def _steps(house: House, path: Path, decoder: VideoProcess) -> _Steps:
    """Judge one frame a step; give what is to be told after it, if anything."""
    is_still = path.suffix in IMAGE_SUFFIXES
    return _still_steps(house, path) if is_still else _film_steps(house, path, decoder)


def _still_steps(house: House, path: Path) -> _Steps:
    # A still has no start to wait for: it is judged as it is.
    session = house.new_session(replace(house.stream, warm_up_s=0.0))
    image = read_image(path)
    yield _opening(session, image.shape[1], image.shape[0], 1, 0.0)
    seen = session.judge(Frame(image, 0.0, 0))
    yield session.tell(replace(seen, judgements=session.finish())) | {"done": 1}


def _film_steps(house: House, path: Path, decoder: VideoProcess) -> _Steps:
    with decoder.open(path) as video:
        info, session = video.info, house.new_session()
        if info.width_px * info.height_px > house.config.limits.max_upload_px:
            raise VideoError(
                f"{path}: {info.width_px} x {info.height_px} pixels; at most "
                f"{house.config.limits.max_upload_px} are taken. Make it smaller first"
            )
        yield _opening(session, info.width_px, info.height_px, info.num_frames, info.duration_s)
        told_s, seen = 0.0, None
        for frame in video:
            seen = session.judge(frame)
            is_worth_telling = bool(seen.judgements) or frame.time_s - told_s >= _TELL_EVERY_S
            told_s = frame.time_s if is_worth_telling else told_s
            yield session.tell(seen) | {"done": frame.index + 1} if is_worth_telling else None
        if seen is not None:
            last = replace(seen, judgements=session.finish())
            yield session.tell(last) | {"done": info.num_frames}


def _opening(
    session: Session, width_px: int, height_px: int, num_frames: int, duration_s: float
) -> dict[str, Any]:
    return {
        "type": "file",
        "csv_header": session.csv_header,
        "width_px": width_px,
        "height_px": height_px,
        "num_frames": num_frames,
        "duration_s": duration_s,
    }
