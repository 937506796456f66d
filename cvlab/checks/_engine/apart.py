"""A forked process in which a function is judged: whatever it does there, the notebook's own process lives on.

The process is a copy of the notebook's at this moment, so everything the function needs is there. A third one
stands between the two: it is what `os.getppid()` names, and it reports how the copy ended. Where the system
cannot fork (Windows), or with `CVLAB_FORK=0`, functions are judged in the notebook's process.
"""

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import select
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Ending", "can_fork", "judged_apart"]

MEMORY = 2 * 10**9  # bytes that a function may take on top of what the notebook holds
_GRACE = 1.0  # seconds after its time in which the process must have said something
_UNSENT = 77  # the exit status of a process whose files were closed under it


@dataclass(frozen=True)
class Ending:
    """How the process ended: with a verdict, or with the reason why there is none.

    Args:
        verdict: what `work` returned, or None.
        reason: "verdict", or "silent" (it never gave the interpreter back), "memory", "exit", "signal", "parent" (it ended
            the process between), "closed" (its files), "broken" (the check itself failed there).
        detail: the exit status, the signal's name, or the error.
        index: the case that was running, or what else `tell` was given.
    """

    verdict: dict | None
    reason: str = ""
    detail: str = ""
    index: int = 0


def can_fork() -> bool:
    """Tell whether functions are judged in a process of their own."""
    return hasattr(os, "fork") and os.environ.get("CVLAB_FORK", "1") != "0"


def judged_apart(work: Callable[[Callable[[int, float], None]], dict], seconds: float) -> Ending:
    """Run `work(tell)` in a forked process and return what it returned, as JSON brought it here.

    Args:
        work: calls `tell(index, left)` at least every `left` seconds; when it does not, its process is ended.
        seconds: the time until its first call of `tell`.

    Raises:
        OSError: the system cannot fork now.
    """
    reader, writer = os.pipe()
    middle = 0
    try:
        with _interrupts_held():
            middle = _fork()
            if middle == 0:
                _stand_between(work, writer)
        os.close(writer)
        writer = -1
        return _Listener(reader, middle).listen(seconds)
    finally:  # a stop by the user passes here, too
        if middle:
            _end(middle)
        os.close(reader)
        if writer >= 0:
            os.close(writer)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let an interrupt by the user come when this is over.

    Logging and filelock have functions run by every fork; what is raised in those, Python reports and forgets.
    """
    before, pressed = signal.getsignal(signal.SIGINT), []
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *how: pressed.append(how))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        before(*pressed[0])


def _end(middle: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(middle, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(middle, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads: see `_settle`
        return os.fork()


class _Listener:
    """Reads what the process says, one JSON line at a time, and notices when it says nothing more."""

    def __init__(self, reader: int, middle: int):
        self.reader, self.middle, self.rest = reader, middle, b""
        self.verdict, self.reason, self.detail, self.index = None, "", "", 0
        self.process, self.most = 0, 0

    def listen(self, seconds: float) -> Ending:
        self.end = time.monotonic() + seconds + _GRACE
        while not self.reason:
            if select.select([self.reader], [], [], 0.05)[0]:
                self._read()
            if not self.reason and time.monotonic() > self.end:
                self.reason = "silent"
            if not self.reason and self.process and _resident(self.process) > self.most:
                self.reason = "memory"
        return Ending(self.verdict, self.reason, self.detail, self.index)

    def _read(self) -> None:
        more = os.read(self.reader, 1 << 16)
        *lines, self.rest = (self.rest + more).split(b"\n")
        for line in lines:
            if self.reason:
                return  # how the process ended after its verdict does not matter
            with contextlib.suppress(ValueError, TypeError, AttributeError):  # what the function wrote itself
                for name, value in json.loads(line).items():
                    getattr(self, f"_hear_{name}")(value)
        if not more and not self.reason:
            self.reason = "parent"

    def _hear_process(self, pid: int) -> None:
        self.process, self.most = pid, _resident(pid) + MEMORY  # it begins with fewer pages than the notebook

    def _hear_left(self, pair: list) -> None:
        self.index, left = pair
        self.end = time.monotonic() + left + _GRACE

    def _hear_verdict(self, verdict: dict) -> None:
        self.verdict, self.reason = verdict, "verdict"

    def _hear_broken(self, text: str) -> None:
        self.reason, self.detail = "broken", text

    def _hear_status(self, status: int) -> None:
        if status < 0:
            names = {number.value: number.name for number in signal.Signals}
            self.reason, self.detail = "signal", names.get(-status, str(-status))
        else:
            self.reason, self.detail = "closed" if status == _UNSENT else "exit", str(status)


def _resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 where that cannot be known."""
    try:
        import psutil  # every Jupyter kernel has it

        return psutil.Process(pid).memory_info().rss
    except Exception:
        return 0


def _stand_between(work: Callable, writer: int) -> NoReturn:
    """Start the process that judges; say how it ended."""
    try:
        os.setsid()  # what it starts can be ended with it, and a signal to its group stays in it
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _settle(writer)
        judge = _fork()
        if judge == 0:
            _judge(work, writer)
        _say(writer, status=os.waitstatus_to_exitcode(os.waitpid(judge, 0)[1]))
    finally:
        os._exit(0)


def _judge(work: Callable, writer: int) -> NoReturn:
    status = _UNSENT
    try:
        _die_with_parent()
        _say(writer, process=os.getpid())
        try:
            verdict = work(lambda index, left: _say(writer, left=[index, left]))
            _say(writer, verdict=verdict)
        except OSError:
            raise  # it could not be said
        except BaseException as error:
            _say(writer, broken=type(error).__name__)
        status = 0
    finally:
        os._exit(status)


def _say(writer: int, **what: Any) -> None:
    line = json.dumps(what).encode() + b"\n"
    while line:
        line = line[os.write(writer, line) :]


def _die_with_parent() -> None:
    """Ask Linux to end this process when the one that started it ends."""
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _settle(writer: int) -> None:
    """Make a forked copy of a process with threads fit to run: without them, and harmless to the original."""
    import resource

    faulthandler.disable()  # its report of a crash belongs to the notebook's own
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number in [int(path.name) for path in Path("/dev/fd").iterdir()]:  # the kernel's sockets above all
        with contextlib.suppress(OSError):
            kind = os.fstat(number).st_mode
            if number != writer and not stat.S_ISREG(kind) and not stat.S_ISCHR(kind):
                os.close(number)
    gc.freeze()  # nothing of the notebook's is collected here
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # One large array is an error with the learner's line, which beats an end; what grows in steps is ended at MEMORY.
    with contextlib.suppress(OSError, ValueError):  # Linux only
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        most = pages * resource.getpagesize() + 3 * MEMORY // 2
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if "torch" in sys.modules:  # its pool of threads does not survive the fork; OpenCV does without its own
        sys.modules["torch"].set_num_threads(1)
