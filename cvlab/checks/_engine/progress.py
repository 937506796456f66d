"""The learner's progress: one small JSON file on this machine, never sent anywhere; `report` shows it."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cvlab import settings
from cvlab.store.files import write_whole

__all__ = [
    "as_json",
    "clean",
    "entry",
    "mistakes_met",
    "new_record",
    "path",
    "read",
    "reason",
    "record",
    "state",
]

Change = Callable[[dict], dict]

_EMPTY = {"attempts": 0, "hints": 0, "solved": False, "solution_seen": False}
_WAIT = 30.0  # seconds that one kernel waits for the others to finish writing: fifty need about one
_NO_LOCKS = (
    "This folder's disk has no file locks, so two notebooks at once may lose an attempt; "
    "CVLAB_HOME can name another folder."
)
_unsaved: list[tuple[str, Change]] = []  # what could not be written yet; tried again at the next record


def path() -> Path:
    """Return where progress is kept."""
    return settings.user_dir() / "progress.json"


def new_record() -> dict[str, Any]:
    """Return the record of an exercise that nobody has touched: attempts, hints, solved, solution_seen."""
    return dict(_EMPTY)


def entry(name: str) -> dict[str, Any]:
    """Return the record of one exercise, which also holds `mistakes` once a known one was met."""
    return read()[0].get(name, new_record())


def read() -> tuple[dict[str, dict], str]:
    """Return the records by exercise, and a remark where the file was unreadable (else an empty text).

    A damaged file is kept aside as `progress.json.bak`; what is sound in it is used.
    """
    try:
        records, remark = _stored()
    except OSError as error:
        why = reason(error)
        records, remark = {}, f"Your progress could not be read ({why}); this answer is still judged."
    return _changed(records, list(_unsaved)), remark


def record(name: str, change: Change) -> str:
    """Update one exercise's record, and say what went wrong (an empty text where nothing did).

    Many kernels may do so at once: the file is locked from reading to replacing. What cannot be saved is
    kept, and saved with the next record.
    """
    _unsaved.append((name, change))
    try:
        file = Path(os.path.realpath(path()))  # the lock lies beside the file that a link points to
        settings.make_private(file.parent)
        with _locked(file.with_name("progress.lock")) as weak:
            due = list(_unsaved)
            records, remark = _stored()
            _write_private(file, {"version": 1, "exercises": _changed(records, due)})
            del _unsaved[: len(due)]
        return remark or weak
    except Timeout:
        why = f"another notebook has held its lock for {_WAIT:g} seconds"
    except OSError as error:
        why = reason(error)
    return f"Your progress could not be saved ({why}); it is kept until this kernel ends."


def _stored() -> tuple[dict[str, dict], str]:
    """Return the file's own records, and a remark where it was damaged; a file that cannot be read is an OSError."""
    try:
        raw = path().read_bytes()
    except FileNotFoundError:
        return {}, ""
    try:
        records, sound = clean(json.loads(raw))
    except (ValueError, RecursionError):
        records, sound = {}, False
    return records, "" if sound else _keep_aside(raw)


def _changed(records: dict[str, dict], changes: Sequence[tuple[str, Change]]) -> dict[str, dict]:
    for name, change in changes:
        records[name] = change(dict(_EMPTY) | records.get(name, {}))
    return dict(sorted(records.items()))


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[str]:
    """Hold the lock file, which the system frees if this process dies; yield a remark where there are no locks.

    Raises:
        Timeout: others held it all the time.
    """
    held = FileLock(lock, timeout=_WAIT, mode=0o600)
    try:
        held.acquire()
    except NotImplementedError:  # the disk (of a network, say) knows no locks
        yield _NO_LOCKS
        return
    try:
        yield ""
    finally:
        held.release()


def as_json(content: Any) -> bytes:
    """Return the bytes of a JSON file."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _write_private(file: Path, content: Any) -> None:
    """Write JSON whole or not at all, for the eyes of this user only."""
    write_whole(file, as_json(content))
    file.chmod(0o600)


def clean(data: Any) -> tuple[dict[str, dict], bool]:
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


def mistakes_met(record: Mapping) -> dict[str, int]:
    """Return how often each known mistake was met, by its name; what is no such count is left out.

    At most fifty names: more than any exercise knows, so that a file cannot grow without end.
    """
    found = record.get("mistakes")
    pairs = found.items() if isinstance(found, dict) else ()
    sound = [(name, n) for name, n in pairs if len(name) <= 100 and type(n) is int and 0 < n < 10**9]
    return dict(sound[:50])


def state(record: Mapping) -> str:
    """Name how far an exercise is: "solved", "tried" or "open"."""
    return "solved" if record["solved"] else "tried" if record["attempts"] else "open"


def _keep_aside(raw: bytes) -> str:
    backup = path().with_name("progress.json.bak")
    with contextlib.suppress(OSError):
        write_whole(backup, raw)
        backup.chmod(0o600)
        return f"Your progress file was damaged; it is kept as {backup.name}, and what could be read is used."
    return "Your progress file is damaged; what could be read is used."


def reason(error: OSError) -> str:
    """Return the system's words for an error."""
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
