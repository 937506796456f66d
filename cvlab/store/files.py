"""One file written whole or not at all: a reader finds the old file or the new one, never half of one."""

import contextlib
import errno
import glob
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["clear_parts", "disk_is_full", "write_whole"]

_NEW = 0o644  # permissions of a new file, less what the umask takes away
_STEM = 40  # letters of the name that an unfinished file carries: no longer than a name may be
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PATIENCE = 20  # tries of 50 ms while a reader on Windows holds the old file


def write_whole(path: str | Path, data: bytes | Callable[[BinaryIO], object]) -> Path:
    """Write a file beside `path`, then put it in its place; whatever goes wrong, the older file stays as it was.

    An older file keeps its permissions. Where `path` is a link, the file that it points to is written.

    Args:
        path: the file; its folder must exist.
        data: the bytes, or a function that writes them to the open file it is given; what it raises passes through.

    Returns:
        `path`.

    Raises:
        FileNotFoundError: the folder does not exist.
        IsADirectoryError: `path` is a folder.
        PermissionError: the file is read-only, or nothing may be written in its folder.
        OSError: the disk is full; `path` is a device, a pipe, or a link to itself.

    Example:
        >>> import tempfile
        >>> file = write_whole(tempfile.mkdtemp() + "/note.txt", b"whole")
        >>> file.read_bytes()
        b'whole'
    """
    path = Path(path)
    target = Path(os.path.realpath(path))  # the file behind a link, also where it is not there yet
    mode = _mode(path, target)
    part = target.with_name(f".{target.name[:_STEM]}.{secrets.token_hex(4)}.part")
    try:
        _fill(part, data)
        if mode is not None:
            part.chmod(mode)
        _replace(part, target)
    except OSError as error:
        raise _in_words(error, path, part) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def clear_parts(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; only for one who knows that nobody is writing now."""
    for part in path.parent.glob(glob.escape(f".{path.name[:_STEM]}.") + "[0-9a-f]" * 8 + ".part"):
        part.unlink(missing_ok=True)


def disk_is_full(error: OSError) -> bool:
    """Say whether an error means that there is no room: on the disk, under a quota, or for so large a file."""
    return error.errno in _NO_ROOM


def _mode(path: Path, target: Path) -> int | None:
    """Return the permissions of the file that is there, None where there is none; refuse what is no file."""
    try:
        found = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not target.parent.is_dir():
            raise _told(
                FileNotFoundError,
                errno.ENOENT,
                f"{path} cannot be written: there is no folder {target.parent}. Make it first",
            ) from None
        return None
    except OSError as error:
        raise _in_words(error, path, target) from error
    if stat.S_ISDIR(found):
        raise _told(IsADirectoryError, errno.EISDIR, f"{path} is a folder; name a file in it")
    if not stat.S_ISREG(found):
        raise _told(OSError, errno.EINVAL, f"{path} is a device or a pipe, not a file that can be replaced")
    if not found & 0o222:
        raise _told(PermissionError, errno.EACCES, f"{path} is read-only; allow writing, or write elsewhere")
    return stat.S_IMODE(found)


def _fill(part: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _NEW)
    with os.fdopen(handle, "wb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace(part: Path, target: Path) -> None:
    """Move a file over another; on Windows wait for a reader to let go of it."""
    for _ in range(_PATIENCE if os.name == "nt" else 0):
        with contextlib.suppress(PermissionError):
            part.replace(target)
            return
        time.sleep(0.05)
    part.replace(target)


def _in_words(error: OSError, path: Path, part: Path) -> OSError:
    """Say what the system's error means for `path`; errors of other files stay as they are."""
    if disk_is_full(error):
        kept = "; the older one is untouched" if path.is_file() else ""
        return _told(
            OSError, error.errno, f"no space left for {path.name}{kept}. Free some, or save elsewhere"
        )
    if error.filename not in (part, str(part)):
        return error
    if error.errno == errno.EROFS:
        return _told(
            OSError, error.errno, f"{path} cannot be written: its disk is read-only. Write elsewhere"
        )
    if isinstance(error, PermissionError):
        return _told(
            PermissionError, error.errno, f"{path} cannot be written: you may not write in {part.parent}"
        )
    return _told(OSError, error.errno, f"{path} cannot be written ({error.strerror or error})")


def _told(kind: type[OSError], code: int, words: str) -> OSError:
    """Make an error that says the words alone, without "[Errno 2]" before them, and still has its number."""
    error = kind(words)
    error.errno = code
    return error
