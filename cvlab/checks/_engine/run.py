"""Run a learner's function so that nothing it does can hurt the notebook."""

import builtins
import contextlib
import ctypes
import io
import linecache
import random
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from cvlab.checks._engine.describe import cut

__all__ = ["Outcome", "Problem", "run"]

_PATIENCE = 3.0  # seconds spent on stopping a function that runs for ever
_IMPORTS = 60.0  # seconds granted for imports inside the function
_STACK = 64 * 2**20  # bytes: room for a deep recursion through C code
_PACKAGE = str(Path(__file__).resolve().parents[2])
_STDLIB = sysconfig.get_paths()["stdlib"]


@dataclass
class Problem:
    """An exception in words: its type, its message, and the learner's own line behind it."""

    type: str
    message: str
    line_number: int
    line: str
    raised_in: str  # the function whose line raised, with the names around it; "" for a library's line


@dataclass
class Outcome:
    """What one call did: exactly one of `value`, `problem` and `timed_out` says it."""

    value: Any = None
    problem: Problem | None = None
    timed_out: bool = False
    stopped: bool = True  # False: the thread could not be stopped
    printed: str = ""
    warned: str = ""
    changed: tuple[str, ...] = ()  # the arguments that the call changed
    shared: tuple[str, ...] = ()  # the arguments that the result shares memory with
    unchanged: tuple[str, ...] = ()  # the arguments that came back as the result


class _Stop(BaseException):
    """Raised inside the worker to end it; `except Exception` does not catch it."""


def run(call: Callable[[], Any], seconds: float) -> Outcome:
    """Run `call()` for at most `seconds`, with its output caught and global state put back.

    It runs in a thread, so that an endless loop can be stopped while the kernel lives (signals would do on
    neither Windows nor Colab's executor). An interrupt by the user stops it too and is passed on.
    """
    outcome, printed = Outcome(), _Shortened()
    worker = _Worker(call)
    with _steady_world(printed) as warned:
        worker.begin()
        try:
            worker.wait(seconds)
            outcome.timed_out = not worker.over.is_set()
        finally:
            outcome.stopped = worker.stop()
    outcome.printed = printed.text()
    outcome.warned = cut(str(warned[0].message)) if warned else ""
    if not outcome.timed_out:
        outcome.value = worker.value
        outcome.problem = _explain(worker.error) if worker.error is not None else None
    return outcome


class _Worker(threading.Thread):
    """A thread that can be stopped from outside."""

    def __init__(self, call: Callable[[], Any]):
        super().__init__(name="cvlab-check", daemon=True)
        self.call, self.value, self.error = call, None, None
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
                self.error = error
            with self.lock:
                self.finished = True  # from here on no stop is sent
        except _Stop:
            self.finished = True
        finally:
            self.over.set()

    def wait(self, seconds: float) -> None:
        """Wait in short steps: on Windows a long one would hold back the user's interrupt.

        A first `import torch` inside the function takes seconds; that time is not counted.
        """
        left, last = min(seconds, 1e6), time.monotonic()
        end = last + left + _IMPORTS
        while not self.over.wait(0.05) and left > 0 and last < end:
            now = time.monotonic()
            left -= 0 if self._is_importing() else now - last
            last = now

    def _is_importing(self) -> bool:
        """Tell whether an import is under way: stopping one would leave half a module behind."""
        frame = sys._current_frames().get(self.ident)
        while frame is not None:
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                return True
            frame = frame.f_back
        return False

    def stop(self) -> bool:
        """Raise `_Stop` inside the thread until it ends; again and again, as a bare `except:` swallows some."""
        end = time.monotonic() + _PATIENCE
        interval = sys.getswitchinterval()
        raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
        try:
            while not self.over.is_set() and time.monotonic() < end:
                with self.lock:
                    if not self.finished and not self._is_importing():
                        raise_in_thread(ctypes.c_ulong(self.ident), ctypes.py_object(_Stop))
                self.over.wait(0.005)
                sys.setswitchinterval(1e-5 if random.random() < 0.5 else interval)
        finally:
            sys.setswitchinterval(interval)
        return self.over.is_set()


class _Shortened(io.TextIOBase):
    """A text stream that keeps only the beginning, however much is printed."""

    def __init__(self, keep: int = 400):
        self.keep, self.kept, self.length = keep, "", 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.kept += text[: max(0, self.keep - len(self.kept))]
        self.length += len(text)
        return len(text)

    def text(self) -> str:
        lines = self.kept.strip("\n").split("\n")
        more = self.length > len(self.kept) or len(lines) > 6
        return cut("\n".join(lines[:6]), self.keep) + ("\n... and more" if more else "")


def _no_input(*_: Any) -> str:
    raise RuntimeError("input() cannot be used inside a checked function: use the arguments")


def _no_exit(*_: Any) -> None:
    raise SystemExit


@contextlib.contextmanager
def _steady_world(printed: io.TextIOBase) -> Iterator[list]:
    """Catch prints and warnings; start from fixed seeds; put back all that a function may change."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002
    dtype, limit = torch and torch.get_default_dtype(), sys.getrecursionlimit()
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    swaps = [(builtins, "input", _no_input), (sys, "breakpointhook", lambda *_, **__: None)]
    swaps += [(shell, "ask_exit", _no_exit)] if shell else []
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in swaps]
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        for swap in swaps:
            setattr(*swap)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        sys.setrecursionlimit(min(limit, 3000))
        try:
            yield warned
        finally:
            sys.setrecursionlimit(limit)
            for swap in kept:
                setattr(*swap)
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            if torch:
                torch.set_rng_state(states[2])
                torch.set_default_dtype(dtype)


def _explain(error: BaseException) -> Problem:
    """Turn an exception into words and let it go, with all the arrays that its frames hold."""
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be printed)"
    frames = [(frame, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    own = [(frame, number) for frame, number in frames if not _is_library(frame)]
    if not own:
        return Problem(type(error).__name__, cut(message, 300), 0, "", "")
    frame, number = own[-1]
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    raised_in = frame.f_code.co_qualname if frame is frames[-1][0] else ""
    return Problem(type(error).__name__, cut(message, 300), number, cut(line, 120), raised_in)


def _is_library(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    places = ("site-packages", "dist-packages", "<frozen", "<__array_function__")
    return any(place in name for place in places) or name.startswith((_PACKAGE, _STDLIB))
