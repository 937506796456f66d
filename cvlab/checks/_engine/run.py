"""Run a learner's function so that nothing it does can hurt the notebook."""

import ctypes
import linecache
import random
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from cvlab.checks._engine.describe import cut
from cvlab.checks._engine.world import Shortened, steady_world

__all__ = ["Outcome", "Problem", "run"]

_PATIENCE = 3.0  # seconds spent on stopping a function that runs for ever
_IMPORTS = 60.0  # seconds granted for imports inside the function
_STACK = 64 * 2**20  # bytes: room for a deep recursion through C code
_PACKAGE = str(Path(__file__).resolve().parents[2])
_ENGINE = str(Path(__file__).resolve().parent)
_STDLIB = sysconfig.get_paths()["stdlib"]


@dataclass
class Problem:
    """An exception in words: its type, its message, and the learner's own line behind it."""

    type: str
    message: str
    line_number: int
    line: str
    raised_in: str  # the function whose line raised, with the names around it; "" for a library's line
    depth: int = 0  # how many calls of code that is neither a library's nor the engine's led there


@dataclass
class Outcome:
    """What one call did: exactly one of `value`, `problem` and `timed_out` says it."""

    value: Any = None
    problem: Problem | None = None
    timed_out: bool = False
    line_number: int = 0  # where the learner's code was when the time was up
    line: str = ""
    stopped: bool = True  # False: the thread could not be stopped
    left: float = 0.0  # seconds of its time that it did not need
    printed: str = ""
    warned: str = ""
    changed: tuple[str, ...] = ()  # the arguments that the call changed
    shared: tuple[str, ...] = ()  # the arguments that the result shares memory with
    unchanged: tuple[str, ...] = ()  # the arguments that came back as the result


class _Stop(BaseException):
    """Raised inside the worker to end it; `except Exception` does not catch it."""


def run(
    call: Callable[[], Any], seconds: float, tick: Callable[[float], None] = lambda left: None
) -> Outcome:
    """Run `call()` for at most `seconds`, with its output caught.

    It runs in a thread, so that an endless loop can be stopped while the kernel lives (signals would do on
    neither Windows nor Colab's executor). An interrupt by the user stops it too and is passed on.

    Args:
        call: what to run.
        seconds: the time for it; imports are not counted.
        tick: called about 20 times a second with the time that is left.
    """
    outcome, printed = Outcome(), Shortened()
    worker = _Worker(call)
    with steady_world(printed) as warned:
        try:
            worker.begin()  # an interrupt may come when the thread already runs
            outcome.left = worker.wait(seconds, tick)
            outcome.timed_out = not worker.over.is_set()
            outcome.line_number, outcome.line = worker.place() if outcome.timed_out else (0, "")
        finally:
            outcome.stopped = worker.stop()
    outcome.printed = printed.text()
    outcome.warned = cut(str(warned[0].message)) if warned else ""
    if not outcome.timed_out:
        outcome.value, outcome.problem = worker.value, worker.problem
    return outcome


class _Worker(threading.Thread):
    """A thread that can be stopped from outside."""

    def __init__(self, call: Callable[[], Any]):
        super().__init__(name="cvlab-check", daemon=True)
        self.call, self.value, self.problem = call, None, None
        self.lock, self.finished = threading.Lock(), False
        self.over = threading.Event()  # not join(): in Python 3.11 an interrupted join calls the thread dead

    def begin(self) -> None:
        """Start with a large stack where the system grants one."""
        size = threading.stack_size()
        try:
            threading.stack_size(_STACK)
            self.start()
        except (ValueError, RuntimeError):
            threading.stack_size(size)
            self.start()
        finally:
            threading.stack_size(size)

    def run(self) -> None:
        try:
            try:
                with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
                    self.value = self.call()
            except BaseException as error:
                self.problem = _explain(error)  # here, as its own text may be code that runs for ever
            with self.lock:
                self.finished = True  # from here on no stop is sent
        except _Stop:
            self.finished = True
        finally:
            self.over.set()

    def wait(self, seconds: float, tick: Callable[[float], None]) -> float:
        """Wait in short steps: on Windows a long one would hold back the user's interrupt.

        A first `import torch` inside the function takes seconds; that time is not counted.
        Return the seconds that are left.
        """
        left, last = min(seconds, 1e6), time.monotonic()
        end = last + left + _IMPORTS
        while True:
            over = self.over.wait(0.05)
            now = time.monotonic()
            left -= 0 if self._is_importing() else now - last
            last = now
            tick(left)
            if over or left <= 0 or last > end:
                return left

    def _frames(self) -> Iterator[FrameType]:
        """Yield the thread's frames, the innermost first; not all of a deep recursion."""
        frame = sys._current_frames().get(self.ident)
        for _ in range(1000):
            if frame is None:
                return
            yield frame
            frame = frame.f_back

    def _is_importing(self) -> bool:
        """Tell whether an import is under way: stopping one would leave half a module behind."""
        return any(frame.f_code.co_filename == "<frozen importlib._bootstrap>" for frame in self._frames())

    def place(self) -> tuple[int, str]:
        """Return the number and the text of the learner's line that is running."""
        frame = next((frame for frame in self._frames() if not _is_library(frame)), None)
        return (frame.f_lineno, _line(frame, frame.f_lineno)) if frame else (0, "")

    def stop(self) -> bool:
        """Raise `_Stop` inside the thread until it ends; again and again, as a bare `except:` swallows some."""
        end = time.monotonic() + _PATIENCE
        interval = sys.getswitchinterval()
        raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
        try:
            while not self.over.is_set() and time.monotonic() < end:
                with self.lock:
                    if self.ident and not self.finished and not self._is_importing():
                        raise_in_thread(ctypes.c_ulong(self.ident), ctypes.py_object(_Stop))
                self.over.wait(0.005)
                sys.setswitchinterval(1e-5 if random.random() < 0.5 else interval)
        finally:
            sys.setswitchinterval(interval)
        return self.over.is_set()


def _explain(error: BaseException) -> Problem:
    """Turn an exception into words and let it go, with all the arrays that its frames hold."""
    try:
        message = cut(str(error), 300)
    except _Stop:
        raise
    except BaseException:
        message = "(its message cannot be printed)"
    own, last, depth = None, None, 0
    for last in traceback.walk_tb(error.__traceback__):
        own = last if not _is_library(last[0]) else own
        depth += not _is_outside(last[0])
    if own is None:
        return Problem(type(error).__name__, message, 0, "", "", depth)
    frame, number = own
    raised_in = frame.f_code.co_qualname if frame is last[0] else ""
    return Problem(type(error).__name__, message, number, _line(frame, number), raised_in, depth)


def _line(frame: FrameType, number: int) -> str:
    return cut(linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip(), 120)


def _is_library(frame: FrameType) -> bool:
    return _is_outside(frame) or frame.f_code.co_filename.startswith(_PACKAGE)


def _is_outside(frame: FrameType) -> bool:
    """Tell whether a frame is neither an answer's nor an exercise's."""
    name = frame.f_code.co_filename
    places = ("site-packages", "dist-packages", "<frozen", "<__array_function__")
    return any(place in name for place in places) or name.startswith((_ENGINE, _STDLIB))
