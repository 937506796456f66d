"""The learner's progress: one small JSON file on this machine, never sent anywhere."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from cvlab import _validate, settings
from cvlab.checks._engine.registry import LESSONS

__all__ = ["ProgressTable", "entry", "path", "progress", "read", "record"]

_EMPTY = {"attempts": 0, "hints": 0, "solved": False, "solution_seen": False}
_WAIT = 2.0  # seconds that one kernel waits for another to finish writing
_unsaved: dict[str, dict] = {}  # what could not be written; used until this kernel ends


def path() -> Path:
    """Return where progress is kept."""
    return settings.user_dir() / "progress.json"


def entry(name: str) -> dict[str, Any]:
    """Return the record of one exercise: attempts, hints, solved, solution_seen."""
    return read()[0].get(name, dict(_EMPTY))


def read() -> tuple[dict[str, dict], str]:
    """Return the records by exercise, and a remark where the file was unreadable (else an empty text).

    A damaged file is kept aside as `progress.json.bak`; what is sound in it is used.
    """
    try:
        raw = path().read_bytes()
    except FileNotFoundError:
        return dict(_unsaved), ""
    except OSError as error:
        return dict(
            _unsaved
        ), f"Your progress could not be read ({_reason(error)}); this answer is still judged."
    try:
        records, sound = _clean(json.loads(raw))
    except (ValueError, RecursionError):
        records, sound = {}, False
    remark = "" if sound else _keep_aside(raw)
    return records | _unsaved, remark


def record(name: str, change: Callable[[dict], dict]) -> str:
    """Update one exercise's record, and say what went wrong (an empty text where nothing did).

    Two kernels may do so at once: the file is locked from reading to replacing.
    """
    try:
        folder = path().parent
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "progress.lock"):
            records, remark = read()
            records[name] = change(dict(_EMPTY) | records.get(name, {}))
            write_json(path(), {"version": 1, "exercises": dict(sorted(records.items()))})
            _unsaved.clear()
        return remark
    except OSError as error:
        records, _ = read()
        _unsaved[name] = change(dict(_EMPTY) | records.get(name, {}))
        return f"Your progress could not be saved ({_reason(error)}); it is kept until this kernel ends."


def write_json(target: Path, content: Any) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of one."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        _replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _replace(source: str, target: Path) -> None:
    """Move a file over another; on Windows wait for a reader to let go of it."""
    for _ in range(20):
        try:
            return os.replace(source, target)  # noqa: PTH105
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.05)
    return os.replace(source, target)  # noqa: PTH105


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold the lock file; the system frees it if this process dies. Without a lock after two seconds go on."""
    with lock.open("ab") as file:
        end = time.monotonic() + _WAIT
        while not _try_lock(file) and time.monotonic() < end:
            time.sleep(0.01)
        yield


def _try_lock(file: BinaryIO) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clean(data: Any) -> tuple[dict[str, dict], bool]:
    """Return the sound records of a parsed file, and whether all of it was sound."""
    found = data.get("exercises") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        return {}, False
    sound = {name: _EMPTY | value for name, value in found.items() if _is_record(value)}
    return sound, len(sound) == len(found)


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    value = _EMPTY | value
    counts = all(type(value[key]) is int and 0 <= value[key] < 10**9 for key in ("attempts", "hints"))
    return counts and all(isinstance(value[key], bool) for key in ("solved", "solution_seen"))


def _keep_aside(raw: bytes) -> str:
    backup = path().with_name("progress.json.bak")
    with contextlib.suppress(OSError):
        backup.write_bytes(raw)
        return f"Your progress file was damaged; it is kept as {backup.name}, and what could be read is used."
    return "Your progress file is damaged; what could be read is used."


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


class ProgressTable:
    """How far the learner is: prints as a table."""

    def __init__(self, records: dict[str, dict], remark: str = "", lessons: Sequence[str] = tuple(LESSONS)):
        self.records, self.remark, self.lessons = records, remark, lessons

    def __repr__(self) -> str:
        lines = ["lesson  done   attempts  hints"]
        done = total = 0
        for lesson in self.lessons:
            names = LESSONS[lesson][1]
            own = [self.records.get(name, _EMPTY) for name in names]
            solved = sum(r["solved"] for r in own)
            done, total = done + solved, total + len(names)
            counts = sum(r["attempts"] for r in own), sum(r["hints"] for r in own)
            left = [name for name, r in zip(names, own, strict=True) if not r["solved"]]
            todo = f"  still open: {', '.join(left)}" if left else "  complete"
            lines.append(f"{lesson:<6}  {solved:>2}/{len(names):<2}  {counts[0]:>8}  {counts[1]:>5}{todo}")
        lines.append(f"{done} of {total} exercises solved.")
        return "\n".join(lines + ([self.remark] if self.remark else []))


def progress(lesson: str | None = None, *, export: str | Path | None = None) -> ProgressTable:
    """Show how far you are; with `export`, also write it to a JSON file, to hand in or to keep.

    Args:
        lesson: show this lesson only, as in "01".
        export: path of the JSON file to write; it is replaced if it exists.

    Raises:
        ValueError: there is no such lesson.
        OSError: the file cannot be written there.
    """
    if lesson is not None:
        _validate.one_of(lesson, "lesson", tuple(LESSONS))
    records, remark = read()
    if export is not None:
        target = Path(export).expanduser()
        if target.is_dir():
            raise IsADirectoryError(
                f"export must be a file name, such as progress.json; got the folder {target}"
            )
        if not target.absolute().parent.is_dir():
            raise FileNotFoundError(
                f"export must lie in an existing folder; there is no {target.absolute().parent}"
            )
        lessons = {key: list(names) for key, (_, names) in LESSONS.items()}
        write_json(
            target.absolute(), {"version": 1, "lessons": lessons, "exercises": dict(sorted(records.items()))}
        )
    return ProgressTable(records, remark, tuple(LESSONS) if lesson is None else (lesson,))
