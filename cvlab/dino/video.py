"""Frames into a file that a browser plays, and onto the page."""

import base64
import contextlib
import html
import os
from pathlib import Path

import numpy as np

from cvlab import _validate

__all__ = ["Player", "write_film"]

KINDS = {".webm": "video/webm", ".webp": "image/webp"}


def write_film(frames, path, *, fps: int = 8, codec: str = "VP80") -> Path:
    """Write frames as WebM; where OpenCV lacks the codec, as an animated WebP, which every browser plays, too.

    Args:
        frames: (T, H, W, 3) uint8 RGB; H and W even.
        path: where to, without an ending.
        fps: frames a second.
        codec: four letters, "VP80" or "VP90".

    Returns:
        The path with the ending of what was written: ".webm" or ".webp".

    Example:
        >>> import tempfile
        >>> write_film(np.zeros((3, 32, 32, 3), np.uint8), Path(tempfile.mkdtemp()) / "dark", codec="none").name
        'dark.webp'
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        raise TypeError(
            f"frames must be a uint8 array; got {getattr(frames, 'dtype', type(frames).__name__)}"
        )
    if frames.ndim != 4 or frames.shape[3] != 3 or not len(frames):
        raise ValueError(
            f"frames must have shape (T, H, W, 3); got {frames.shape}. One picture? frames[None]"
        )
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise ValueError(f"frames must have an even height and width; got {frames.shape[1:3]}")
    fps, path = _validate.positive_int(fps, "fps"), Path(path)
    webm, webp = (path.with_name(path.name + ending) for ending in KINDS)
    if _write_webm(frames, webm, fps, codec):
        return webm
    webm.unlink(missing_ok=True)
    _write_webp(frames, webp, fps)
    return webp


def _write_webm(frames, path: Path, fps: int, codec: str) -> bool:
    """Tell whether OpenCV could."""
    import cv2

    with _silent():  # it tells about WebM's four letters at each opening, also where all is well
        try:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, frames.shape[2:0:-1])
        except cv2.error:
            return False
        if not writer.isOpened():
            return False
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
    return path.is_file() and path.stat().st_size > 0


def _write_webp(frames, path: Path, fps: int) -> None:
    from PIL import Image

    first, *more = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=more, duration=round(1000 / fps), loop=0, quality=60)


@contextlib.contextmanager
def _silent():
    """Keep what a library in C writes to standard error off the page."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Player:
    """A film on the page: its bytes are in the notebook, so that it needs no file beside it.

    Args:
        path: of a WebM or WebP.
        alt: what it shows, for those who do not see it.

    Example:
        >>> import tempfile
        >>> path = write_film(np.zeros((3, 32, 32, 3), np.uint8), Path(tempfile.mkdtemp()) / "dark")
        >>> "autoplay" in Player(path, "Darkness.")._repr_html_()
        False
    """

    def __init__(self, path, alt: str):
        self.path, self.alt = Path(path), alt
        _validate.one_of(self.path.suffix, "the ending of path", list(KINDS))

    def __repr__(self) -> str:
        return f"Player({self.path.name!r}): {self.alt}"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.path.read_bytes()).decode()
        source, alt = f"data:{KINDS[self.path.suffix]};base64,{data}", html.escape(self.alt)
        if self.path.suffix == ".webp":
            return f'<img src="{source}" alt="{alt}" style="max-width:100%">'
        return f'<video src="{source}" aria-label="{alt}" controls loop muted style="max-width:100%">{alt}</video>'
