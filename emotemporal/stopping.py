"""Stopping when asked, between two frames or steps, so that nothing is torn."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class InterruptedJob(Exception):  # noqa: N818 (not an error: the state is saved)
    """A job was asked to stop and saved its state; the same command goes on from there."""

    EXIT_CODE = 75
    """EX_TEMPFAIL of sysexits.h: try again."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_when_asked() -> Iterator[threading.Event]:
    """Give an event that ctrl-C or SIGTERM sets. Asked a second time, the program stops at once.

    Signals reach a process's main thread only: elsewhere the event is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def ask(number: int, frame: object) -> None:  # noqa: ARG001 (the signature is Python's)
        asked.set()
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in _SIGNALS:
            signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends.

    A worker that is asked nothing more waits for ever otherwise, where its parent was killed.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()
