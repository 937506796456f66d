"""Unpacking archives from elsewhere: all of it in the folder asked for, or nothing."""

import errno
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

__all__ = ["extract"]

try:
    from lzma import LZMAError
except ImportError:  # Python built without lzma

    class LZMAError(Exception):  # noqa: N818
        pass


BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError)


class _Member(NamedTuple):
    """One entry of an archive; `kind` is "file", "folder" or what is refused."""

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes]]


def extract(archive: str | Path, folder: str | Path, *, max_bytes: int = 4 * 2**30) -> Path:
    """Unpack a zip or tar archive into a new folder; refuse whatever could reach outside it.

    Args:
        archive: .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz; the content decides, not the name.
        folder: where to; it must not exist yet, or be empty. It appears complete or not at all.
        max_bytes: most bytes that the unpacked files may have together.

    Returns:
        The folder.

    Raises:
        ValueError: not an archive, damaged, too large, or with a member that is a link, a device, has an
            absolute path, or climbs with "..". Nothing is left behind.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"folder must not exist yet, or be empty; got {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with _opened(archive) as members:
            _unpack(archive, members, stage / "files", max_bytes)
        if folder.exists():
            folder.rmdir()
        (stage / "files").replace(folder)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"archive {archive.name} is refused: two members want one path ({error})") from error
    except (*BROKEN, OSError) as error:
        if getattr(error, "errno", None) not in (None, errno.EINVAL):  # a full disk, say: not its fault
            raise
        raise ValueError(f"archive {archive.name} is damaged or incomplete: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return folder


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield [
                _Member(m.filename, _zip_kind(m), m.file_size, lambda m=m: zipped.open(m))
                for m in zipped.infolist()
            ]
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred:
            members = [
                _Member(m.name, _tar_kind(m), m.size, lambda m=m: tarred.extractfile(m)) for m in tarred
            ]
            while tarred.fileobj.read(1 << 20):  # to the very end, where gzip keeps its checksum
                pass
            yield members
    else:
        raise ValueError(
            f"archive must be a zip or tar file; got {archive.name}, which is neither (or damaged)"
        )


def _unpack(archive: Path, members: list[_Member], target: Path, max_bytes: int) -> None:
    _check(archive, members, max_bytes)
    target.mkdir()
    for member in members:
        path = target.joinpath(*PurePosixPath(member.name).parts)
        if member.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, path.open("xb") as copy:
            shutil.copyfileobj(source, copy)


def _check(archive: Path, members: list[_Member], max_bytes: int) -> None:
    """Look at every member before the first byte is written."""
    for member in members:
        if fault := _fault(member.name, member.kind):
            raise ValueError(
                f"archive {archive.name} is refused: member {member.name!r} {fault}; nothing was unpacked"
            )
    total = sum(member.size for member in members)
    if total > max_bytes:
        raise ValueError(
            f"archive {archive.name} is refused: it unpacks to {total:,} bytes, over {max_bytes:,}"
        )


def _fault(name: str, kind: str) -> str:
    if kind not in ("file", "folder"):
        return f"is {kind}"
    if name.startswith("/") or ":" in name:
        return "has an absolute path"
    if ".." in name.split("/") or "\\" in name:
        return "has a path that may leave the folder"
    if kind == "file" and not PurePosixPath(name).parts:
        return "has no name"
    return ""


def _zip_kind(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    if member.flag_bits & 1:
        return "encrypted"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    return "folder" if member.is_dir() else "file"


def _tar_kind(member: tarfile.TarInfo) -> str:
    return "folder" if member.isdir() else "file" if member.isreg() else "a link or a device"
