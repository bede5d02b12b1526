"""One camera's WebSocket: the newest frame wins, and every answer is to one frame."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any, NoReturn

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.serve.guard import PROTOCOL
from emotemporal.live.serve.house import FullError, House
from emotemporal.live.serve.messages import (
    Choice,
    MessageError,
    RawFrame,
    parse_frame,
    parse_words,
)
from emotemporal.live.serve.session import Session
from emotemporal.timing import Clock, monotonic
from emotemporal.video.image import ImageError

TOO_BIG, POLICY_VIOLATION, TRY_LATER, GOING_AWAY = 1009, 1008, 1013, 1001
_BURST_S = 2.0
_GOODBYE_S = 5.0
_MAX_BAD = 20
"""Frames one after the other that are no picture; our page never sends one."""


class _LeaveError(Exception):
    """The connection is to end; why, and with which code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def serve_camera(socket: WebSocket) -> None:
    """Take frames until the page leaves, is silent, or breaks a rule; say why before closing."""
    house: House = socket.app.state.house
    wanted = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in wanted else None)
    try:
        with house.cameras.take():
            await _serve(socket, house)
    except FullError as full:
        await _leave(socket, TRY_LATER, str(full))
    except _LeaveError as leave:
        await _leave(socket, leave.code, leave.reason)
    except WebSocketDisconnect:
        return


async def _serve(socket: WebSocket, house: House) -> None:
    visit = _Visit(socket, house)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(visit.answer())
            await visit.listen()
    except* (WebSocketDisconnect, _LeaveError) as group:
        raise _first(group) from None
    finally:
        house.share.forget(visit)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


async def _leave(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await socket.send_text(json.dumps({"type": "refused", "reason": reason}))
            await socket.close(code, reason[:120])  # what a closing frame holds
    except (WebSocketDisconnect, RuntimeError, TimeoutError):  # it has gone, or does not listen
        return


class _Visit:
    """One connection: a slot that the newest frame is put into, and a session that empties it."""

    def __init__(self, socket: WebSocket, house: House) -> None:
        self._socket, self._house = socket, house
        self._rate = _Rate(house.config.limits.max_messages_per_s)
        self._frame: RawFrame | None = None
        self._smoothing: SmoothingConfig | None = None
        self._is_restarting = False
        self._has_come = asyncio.Event()
        self._num_dropped = 0

    async def listen(self) -> NoReturn:
        """Read messages as they come, however long judging takes.

        Raises:
            WebSocketDisconnect: The page has left.
            _LeaveError: It was silent for too long, or broke a rule.
        """
        limits = self._house.config.limits
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), limits.idle_s)
            except TimeoutError:
                raise _LeaveError(
                    GOING_AWAY, f"nothing was sent for {limits.idle_s:g} s; connect again"
                ) from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            self._rate.count()
            data, text = message.get("bytes"), message.get("text")
            if len(data or text or "") > 1024 * limits.max_message_kb:
                raise _LeaveError(TOO_BIG, f"a message is at most {limits.max_message_kb} kB")
            try:
                if (choice := self._take(data, text)) is not None:
                    await self._send(self._house.tell_smoothing(choice))
            except MessageError as error:
                await self._send({"type": "error", "reason": str(error)})

    async def answer(self) -> NoReturn:
        """Judge the newest frame, again and again.

        Raises:
            _LeaveError: Too many frames, one after the other, were no pictures.
        """
        session = await self._run(self._house.new_session)
        await self._send({"type": "ready", "csv_header": session.csv_header})
        num_bad = 0
        while True:
            await self._has_come.wait()
            self._has_come.clear()
            try:
                told = await self._run(partial(_advance, session, *self._empty()))
                num_bad = 0
            except (ImageError, MessageError) as error:
                told = {"type": "error", "reason": str(error)}
                num_bad += 1
            if num_bad > _MAX_BAD:
                raise _LeaveError(POLICY_VIOLATION, f"{num_bad} bad frames one after the other")
            if told is not None:
                await self._send(told | {"num_dropped": self._num_dropped})

    def _take(self, data: bytes | None, text: str | None) -> SmoothingConfig | None:
        """Keep a message for whoever answers; return the smoother that it asks for."""
        self._has_come.set()
        if data is not None:
            frame = parse_frame(data)
            self._num_dropped += self._frame is not None
            self._frame = frame
            return None
        words = parse_words(text or "")
        if isinstance(words, Choice):
            self._smoothing = self._house.smoothing(words)
            return self._smoothing
        self._is_restarting, self._frame = True, None
        return None

    def _empty(self) -> tuple[bool, SmoothingConfig | None, RawFrame | None]:
        waiting = (self._is_restarting, self._smoothing, self._frame)
        self._is_restarting, self._smoothing, self._frame = False, None, None
        return waiting

    async def _run(self, work: Any) -> Any:
        return await self._house.share.run(self, work)

    async def _send(self, told: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(told))


def _advance(
    session: Session, restarts: bool, smoothing: SmoothingConfig | None, frame: RawFrame | None
) -> dict[str, Any] | None:
    """Do in a worker's thread what has come up meanwhile; return the answer to a frame."""
    if restarts:
        session.restart()
    if smoothing is not None:
        session.smooth(smoothing)
    return None if frame is None else session.judge_raw(frame)


class _Rate:
    """Counts messages against an allowance that fills up with time."""

    def __init__(self, per_s: float, clock: Clock = monotonic) -> None:
        self._per_s, self._clock = per_s, clock
        self._left, self._last_s = _BURST_S * per_s, clock()

    def count(self) -> None:
        """Take one message.

        Raises:
            _LeaveError: The allowance is used up.
        """
        now_s = self._clock()
        filled = self._left + (now_s - self._last_s) * self._per_s
        self._left, self._last_s = min(_BURST_S * self._per_s, filled) - 1, now_s
        if self._left < 0:
            raise _LeaveError(
                POLICY_VIOLATION, f"more than {self._per_s:g} messages a second; connect again"
            )
