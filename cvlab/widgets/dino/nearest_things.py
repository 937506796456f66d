"""Lesson 08b: a search engine over stickers: one drawing, and the ten that a network takes for most alike."""

import functools

import ipywidgets
import numpy as np
import torch

from cvlab.dino.search import gallery, nearest, stickers
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, board, font
from cvlab.world import pool

__all__ = ["NearestThings"]

SIDE, FRAME, K, ACROSS = (
    112,
    4,
    10,
    5,
)  # CSS pixels of a picture and of its frame; how many are found, and in a row
STYLES = ("noto", "twemoji")  # those that draw every thing
FEATURES = {"DINO": "DINO", "the frozen maps' mean": "frozen"}


class NearestThings(Widget):
    """Pick a sticker; see the ten most alike of all drawings by five companies, framed green where the group is the same.

    Example:
        >>> print(*NearestThings().readout.splitlines()[:2], sep="\\n")
        asked: badger
        its group: mammal
    """

    alt = "A sticker and the ten stickers that are most like it, framed by whether they belong to its group"
    default_task = "Find a sticker whose ten nearest all belong to other groups."
    learnt = "Nobody told the network our groups: where it goes by colour or outline, they are simply not its groups."
    answer = {"thing": 668, "others": True}

    def controls(self):
        first = next(i for i, t in enumerate(_asked()) if pool.things()[t].name == "badger")
        return {
            "thing": ipywidgets.IntSlider(first, 0, len(_asked()) - 1, description="thing"),
            "style": ipywidgets.Dropdown(options=STYLES, description="drawn by"),
            "features": ipywidgets.Dropdown(options=list(FEATURES), description="compared by"),
            "others": ipywidgets.Checkbox(True, description="leave the same thing out"),
        }

    def compute(self, thing, style, features, others):
        every, stored = gallery(), gallery().features[FEATURES[features]]
        asked = _asked()[thing]
        query = _place()[style, asked]
        left = every.things != asked if others else torch.arange(len(every)) != query
        rows = left.nonzero()[:, 0]
        found, cosines = nearest(stored[rows], stored[query], K)
        found = rows[found]
        same = (every.groups[found] == every.groups[query]).tolist()
        groups, counts = every.groups[found].unique(return_counts=True)
        return {
            "query": query,
            "found": found.tolist(),
            "cosines": cosines.tolist(),
            "same": same,
            "names": [pool.things()[every.things[i]].name for i in [query, *found.tolist()]],
            "group": pool.groups()[every.groups[query]],
            "commonest": (pool.groups()[groups[counts.argmax()]], int(counts.max())),
            "again": None if others else int((every.things[found] == asked).sum()),
        }

    def draw(self, values):
        look, drawings = self.palette, gallery().drawings
        shown = stickers(
            [drawings[i] for i in [values["query"], *values["found"]]], (SIDE - 2 * FRAME) * DENSE
        )
        colours = [look.ink, *(look.truth if same else look.error for same in values["same"])]
        marks = ["asked: ", *("✓ " if same else "✗ " for same in values["same"])]
        tiles = [
            (_fitting(mark + name), _framed(picture, colour))
            for mark, name, picture, colour in zip(marks, values["names"], shown, colours, strict=True)
        ]
        return board([tiles[:1], tiles[1 : 1 + ACROSS], tiles[1 + ACROSS :]], look)

    def text(self, values):
        name, many = values["commonest"]
        again = "left out" if values["again"] is None else f"{values['again']} of {K}"
        return (
            f"asked: {_short(values['names'][0])}\n"
            f"its group: {values['group']}\n"
            f"ten nearest, of its group: {sum(values['same'])} of {K}\n"
            f"their commonest group: {name}, {many} of {K}\n"
            f"the same thing by others: {again}\n"
            f"cosines: {values['cosines'][0]:.2f} to {values['cosines'][-1]:.2f}"
        )

    def goal(self, values):
        return not any(values["same"])


def _short(words: str, most: int = 28) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


@functools.lru_cache(4096)
def _fitting(words: str) -> str:
    """Shorten words until they are no wider than a picture."""
    for most in range(len(words), 1, -1):
        text = _short(words, most)
        if font(13 * DENSE).getlength(text) <= SIDE * DENSE - 4:
            return text
    return ""


def _framed(picture: np.ndarray, colour) -> np.ndarray:
    frame = np.full((SIDE * DENSE, SIDE * DENSE, 3), colour, np.uint8)
    inside = slice(FRAME * DENSE, (SIDE - FRAME) * DENSE)
    frame[inside, inside] = picture
    return frame


@functools.cache
def _asked() -> list[int]:
    """Return the things that have a group, group by group."""
    things = pool.things()
    return sorted((t for t, thing in enumerate(things) if thing.group), key=lambda t: (things[t].group, t))


@functools.cache
def _place() -> dict[tuple[str, int], int]:
    """Return where in the gallery a style's drawing of a thing stands."""
    every = gallery()
    return {
        (style, int(t)): i for i, ((style, _), t) in enumerate(zip(every.drawings, every.things, strict=True))
    }
