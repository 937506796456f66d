"""A picture from an address, and a small server on this machine to try it with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cvlab import _validate, settings
from cvlab.store.download import DataUnavailable
from cvlab.world.photos import load

__all__ = ["fetch_picture", "serving"]

HERE = ("127.0.0.1", "localhost")


def _allowed(value, name: str) -> str:
    """Return an address that may be asked: the web only when the course is online, this machine always."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text such as 'https://...'; got {type(value).__name__}")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} must begin with http:// or https:// and name a host; got {value!r}")
    if parts.hostname not in HERE and not settings.is_online():
        raise DataUnavailable(
            f"{value} was not fetched, because the course is offline. Say cvlab.settings.online() first, "
            "or set CVLAB_ONLINE=1; or save the picture yourself and open the file with photo()"
        )
    return value


@_validate.arguments(address=_allowed, most=_validate.positive_int)
def fetch_picture(address: str, most: int = 20_000_000) -> np.ndarray:
    """Fetch a picture from the web.

    Args:
        address: begins with http:// or https://.
        most: bytes that are read at most.

    Returns:
        (H, W, 3) uint8 RGB, upright.

    Raises:
        requests.RequestException: no connection, no answer for 20 s, or an answer such as 404.
        ValueError: more than `most` bytes, or no picture.
        DataUnavailable: the course is offline and the address is not on this machine.

    Example:
        >>> with serving(Path(np.__file__).parent) as address:
        ...     fetch_picture(f"{address}/version.py")
        Traceback (most recent call last):
            ...
        ValueError: ...
    """
    import requests

    with requests.get(address, stream=True, timeout=20) as response:
        response.raise_for_status()  # "404 not found" is an answer, but no picture
        data = response.raw.read(most + 1, decode_content=True)
    if len(data) > most:
        raise ValueError(f"{address} sends more than {most} bytes")
    return load(data)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        """Say nothing: every request would be a line in the notebook."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Let this machine play the web: serve the files of a folder to itself, and give the address.

    Args:
        folder: whose files are served, while the `with` lasts.

    Yields:
        The address, such as "http://127.0.0.1:40123", without a slash at its end.
    """
    server = ThreadingHTTPServer((HERE[0], 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HERE[0]}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
