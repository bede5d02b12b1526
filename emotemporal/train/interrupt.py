"""SIGTERM and Ctrl-C during a training: the step is finished and the state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether somebody asked the run to stop."""

    def __init__(self) -> None:
        self.is_made = False

    def make(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; the second one ends the process the ordinary way."""
        if self.is_made:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.is_made = True


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request, while a training runs in the main thread."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, request.make) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
