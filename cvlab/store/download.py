"""One verified download: a file is either complete and checked, or not there at all.

pooch was weighed first: it retries, hashes and moves, but leaves slow drips, size caps, answers like 404
(retried), full disks and locks to a downloader of one's own, and then little of it is left. So requests
carries the bytes, filelock keeps two processes apart, tqdm draws the bar, and this page adds the rules.
"""

import errno
import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from cvlab.store.files import clear_parts, disk_is_full, write_whole

__all__ = ["DataUnavailable", "DownloadError", "Limits", "download", "sha256_of"]

CHUNK = 1 << 16  # bytes
MAX_REDIRECTS = 5
TRY_AGAIN = {408, 425, 429}  # besides 500 and above


class DataUnavailable(RuntimeError):
    """A file is in none of the places the course may look in; the message names the way out."""


class DownloadError(DataUnavailable):
    """A download was tried and failed; the message names the file, the address, the reason and the way out."""


class _Transient(Exception):
    """A failure that another try may mend; its text is the reason."""


class _Final(Exception):
    """A failure that no other try will mend; its text is the reason."""


@dataclass(frozen=True)
class Limits:
    """How patient a download is.

    Args:
        connect: seconds to wait for a connection.
        read: seconds without one byte before giving up.
        window: seconds over which the speed is judged, so that a slow drip ends too.
        slowest: bytes a second that a window must reach.
        tries: how often to try in all.
        pause: seconds before the second try, doubled before each next.
        lock: seconds to wait for another process that downloads the same file.
    """

    connect: float = 10
    read: float = 20
    window: float = 30
    slowest: float = 1000
    tries: int = 3
    pause: float = 1
    lock: float = 600


PATIENT = Limits()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 sum of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, path: Path, *, sha256: str | None, size: int, limits: Limits = PATIENT) -> str | None:
    """Download `url` to `path`, unless a file with the right sum is there already.

    Without a known sum any bytes pass: whoever asks for them must look whether they are what was wanted.

    Args:
        url: http or https address.
        path: where the file goes; its folder is made. Nothing but the verified file ever has this name.
        sha256: the sum that the file must have, 64 hex digits or as many of the first as are known, or None.
        size: bytes that the file must have, or may have at most where its sum is not known; never more are read.
        limits: timeouts and tries.

    Returns:
        The host that sent the file, after redirects; None when another process had just brought it.

    Raises:
        DownloadError: with the file, the address, the reason and the way out.
    """
    try:
        with _alone(path, limits.lock):
            if path.is_file() and sha256_of(path).startswith(sha256 or ""):
                return None
            return _try_often(url, path, sha256, size, limits)
    except (_Final, _Transient) as failure:
        reason, cause = str(failure), failure.__cause__
    except OSError as failure:
        reason, cause = _disk_reason(failure, path), failure
    raise DownloadError(
        f"{path.name} could not be downloaded from {url}: {reason}. "
        f"Try again later, or get the file another way and put it at {path} "
        f"(or in the same place under a folder that CVLAB_CACHE names)."
    ) from cause


@contextmanager
def _alone(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of `path`; the system lets it go if this process dies."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise _Final(f"another process has been downloading it for over {seconds:g} s") from None
    try:
        yield
    finally:
        lock.release()


def _try_often(url: str, path: Path, sha256: str | None, size: int, limits: Limits) -> str:
    path.unlink(missing_ok=True)  # a file with the wrong sum
    for attempt in range(1, limits.tries + 1):
        try:
            return _try_once(url, path, sha256, size, limits)
        except _Transient as failure:
            if attempt == limits.tries:
                tries = "one try" if attempt == 1 else f"{attempt} tries"
                raise _Final(f"{failure} (after {tries})") from failure.__cause__
        time.sleep(limits.pause * 2 ** (attempt - 1))
    raise ValueError(f"limits.tries must be at least 1; got {limits.tries}")


def _try_once(url: str, path: Path, sha256: str | None, size: int, limits: Limits) -> str:
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, "no room")
    clear_parts(path)  # of a killed run: the lock is held, so nobody writes them now
    with closing(_open(url, limits)) as response, _bar(path.name, size) as bar:
        host = urlsplit(response.url).hostname

        def receive(file: BinaryIO) -> None:
            got = hashlib.sha256()
            for chunk in _chunks(response, size, limits, exact=sha256 is not None):
                file.write(chunk)
                got.update(chunk)
                bar.update(len(chunk))
            if not got.hexdigest().startswith(sha256 or ""):
                raise _Transient(
                    f"{host} sent other content (sha256 {got.hexdigest()[:12]}..., expected {sha256[:12]}...)"
                )

        write_whole(path, receive)
        return host


def _open(url: str, limits: Limits):
    """Follow redirects by hand: only to http or https, only a few, and their bodies are not read."""
    import requests

    with requests.Session() as session:
        for _ in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https"):
                raise _Final(f"the address leads to {url}, which is neither http nor https")
            with _network(parts.hostname, limits):
                response = session.get(
                    url,
                    stream=True,
                    allow_redirects=False,
                    timeout=(limits.connect, limits.read),
                    headers={"Accept-Encoding": "identity", "User-Agent": "cvlab"},
                )
            if response.is_redirect:
                url = urljoin(url, response.headers["location"])
                response.close()
                continue
            return _checked_status(response, parts.hostname)
    raise _Final(f"it was redirected more than {MAX_REDIRECTS} times, last to {url}")


def _checked_status(response, host: str):
    if response.status_code == 200:
        return response
    response.close()
    again = response.status_code >= 500 or response.status_code in TRY_AGAIN
    raise (_Transient if again else _Final)(f"{host} answered {response.status_code} {response.reason}")


def _chunks(response, size: int, limits: Limits, *, exact: bool) -> Iterator[bytes]:
    """Yield the body as it arrives; end with an error unless it has `size` bytes, or what was offered up to that, at a fair speed."""
    host = urlsplit(response.url).hostname
    offered = response.headers.get("content-length", "")
    if offered.isdigit() and "content-encoding" not in response.headers:
        if int(offered) > size or (exact and int(offered) < size):
            raise _Final(
                f"{host} offers {int(offered):,} bytes, expected {'' if exact else 'at most '}{size:,}"
            )
        least = int(offered)
    else:
        least = size if exact else 1
    received, mark, since = 0, 0, time.monotonic()
    while True:
        with _network(host, limits):
            chunk = response.raw.read1(CHUNK, decode_content=True)
        if not chunk:
            break
        received += len(chunk)
        if received > size:
            raise _Final(f"{host} sends more than the expected {size:,} bytes")
        yield chunk
        if (elapsed := time.monotonic() - since) >= limits.window:
            if received - mark < limits.slowest * elapsed:
                raise _Transient(f"{host} is too slow: {received - mark:,} bytes in {limits.window:g} s")
            mark, since = received, time.monotonic()
    if received < least:
        raise _Transient(f"the connection to {host} ended after {received:,} of {least:,} bytes")


@contextmanager
def _network(host: str, limits: Limits) -> Iterator[None]:
    """Say in plain words what went wrong on the network."""
    import requests
    import urllib3

    try:
        yield
    except requests.ConnectTimeout as error:
        raise _Transient(f"no connection to {host} within {limits.connect:g} s") from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _Transient(f"nothing came from {host} for {limits.read:g} s") from error
    except requests.exceptions.SSLError as error:
        raise _Transient(f"{host} showed no valid certificate (a proxy, or a wrong clock?)") from error
    except (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError) as error:
        raise _Final("the address is not valid") from error
    except urllib3.exceptions.DecodeError as error:
        raise _Transient(f"{host} sent content that cannot be unpacked") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _Transient(f"the connection to {host} failed ({type(error).__name__})") from error


def _disk_reason(error: OSError, path: Path) -> str:
    if disk_is_full(error):
        return f"the disk of {path.parent} is full"
    if error.strerror is None:  # the words of write_whole
        return str(error)
    return f"{path.parent} cannot be written ({error.strerror or error})"


def _bar(name: str, size: int):
    """Draw progress in a terminal or a notebook; stay silent in logs and pipes."""
    from tqdm.auto import tqdm

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    seen = hasattr(shell, "kernel") or sys.stderr.isatty()
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=not seen)
