"""The pool: about nine hundred more things without labels to learn from, drawn by several companies."""

import functools
import json
from dataclasses import dataclass

import numpy as np

from cvlab import settings
from cvlab._validate import one_of, positive_int

__all__ = [
    "STYLES",
    "TEST_STYLE",
    "TRAIN_STYLES",
    "Thing",
    "group_numbers",
    "groups",
    "held_out",
    "sheet",
    "sprites",
    "things",
]

TRAIN_STYLES = ("noto", "noto2017", "emojione2", "fxemoji")
TEST_STYLE = "twemoji"  # nobody trains on it
STYLES = (*TRAIN_STYLES, TEST_STYLE)


@dataclass(frozen=True)
class Thing:
    """One emoji of the pool; `group` is "" where it belongs to none."""

    name: str
    group: str
    code: str


@functools.cache
def things() -> tuple[Thing, ...]:
    """List the things of the pool; none of them is one of the stickers.

    Example:
        >>> koala = next(thing for thing in things() if thing.name == "koala")
        >>> koala.group, koala.code
        ('mammal', '1f428')
    """
    return tuple(Thing(**thing) for thing in _index()["things"])


def groups() -> list[str]:
    """List the groups, by which what was learnt without labels can be judged.

    Example:
        >>> len(groups()), groups()[:3]
        (18, ['bird', 'bug', 'building'])

    Source: subgroups of Unicode's emoji, several of them together.
    """
    return sorted({thing.group for thing in things()} - {""})


def group_numbers(shown) -> np.ndarray:
    """Return (N,) int64, the place in `groups()` of each of `shown`, places in `things()`; -1 where there is no group.

    Example:
        >>> group_numbers([0, 1, 2]).dtype
        dtype('int64')
    """
    names, every = groups(), things()
    return np.array([names.index(every[t].group) if every[t].group else -1 for t in shown], np.int64)


def held_out(every: int = 5) -> np.ndarray:
    """Choose things to keep away from training: every fifth of each group, always the same.

    Returns:
        (T,) bool, one for each of `things()`.

    Example:
        >>> int(held_out().sum()), len(things())
        (171, 892)
    """
    positive_int(every, "every", least=2)
    names = np.array([thing.group for thing in things()])
    chosen = np.zeros(len(names), bool)
    for group in set(names):
        chosen[np.flatnonzero(names == group)[every - 1 :: every]] = True
    return chosen


def sprites(style: str) -> tuple[np.ndarray, np.ndarray]:
    """Read all drawings of a style.

    Args:
        style: one of `TRAIN_STYLES`, or `TEST_STYLE`, the one to judge by and never to train on.

    Returns:
        images (N, 64, 64, 4) uint8 RGBA, alpha 0 (see-through) to 255 (solid), not premultiplied; and (N,) int64,
        which of `things()` each one shows. A style that lacks a thing has no row for it.

    Example:
        >>> images, shown = sprites("fxemoji")
        >>> images.shape, things()[shown[0]].name
        ((306, 64, 64, 4), 'skull')

    Source: Noto Emoji and FxEmojis (Apache-2.0), Emoji One 2.3 and Twemoji (CC-BY-4.0); see data/README.md.
    """
    from PIL import Image

    one_of(style, "style", STYLES)
    index = _index()
    size, columns, shown = index["size"], index["columns"], np.array(index["sheets"][style], np.int64)
    with Image.open(settings.data_dir() / "pool" / f"{style}.webp") as image:
        sheet = np.array(image.convert("RGBA"))  # (rows * size, columns * size, 4)
    cells = sheet.reshape(-1, size, columns, size, 4).swapaxes(1, 2)  # (rows, columns, size, size, 4)
    return cells.reshape(-1, size, size, 4)[: len(shown)], shown


@functools.cache
def sheet(style: str) -> tuple[np.ndarray, np.ndarray]:
    """Return `sprites(style)`, read once and shared: not to be written to.

    Example:
        >>> sheet("noto") is sheet("noto")
        True
    """
    return sprites(style)


@functools.cache
def _index() -> dict:
    path = settings.data_dir() / "pool" / "index.json"
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}: the course's data is missing; install cvlab again")
    return json.loads(path.read_text(encoding="utf-8"))
