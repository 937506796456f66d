"""The recorded rows of lesson 06's growing table; `data/make_detection.py` measured them."""

import functools

import numpy as np

from cvlab._validate import one_of
from cvlab.store.records import training_record

__all__ = ["WAYS", "record", "rows"]

WAYS = (  # in the order of the lesson; a way without a record is left out
    "windows",
    "selective search, classifier",
    "R-CNN",
    "Fast R-CNN",
    "Faster R-CNN",
    "one stage",
)


@functools.cache
def record() -> dict:
    """Return what was recorded: "machine", "scenes" (how many judge) and "ways", one dict for each way.

    A way holds "passes" (crops or passes a scene), "ratio" (its time a scene, divided by that of one pass of the
    frozen network over it) and "runs": of every seed "seen" and "unseen", each {"AP": ..., "AP50": ...}.

    Example:
        >>> record()["scenes"]
        40
    """
    return training_record("detection.json")


def rows(until: str | None = None, *, ms: float | None = None, style: str = "seen") -> list[dict]:
    """Return the growing table as it was recorded, a row a way, for `draw.table`.

    Args:
        until: the last way that is wanted, one of `WAYS`; all by default.
        ms: milliseconds that one pass of the network takes where the table is shown; 1 by default, which makes
            the column "ms a scene" say how many passes a way's time is worth.
        style: "seen" or "unseen", the drawing style of the scenes that judged.

    Returns:
        Dicts of "way", "crops or passes a scene", "ms a scene", "AP" and "AP50", the last two means over seeds.

    Raises:
        ValueError: another way or style.

    Example:
        >>> [row["way"] for row in rows(until="Fast R-CNN")][-1:]
        ['Fast R-CNN']
    """
    one_of(style, "style", ("seen", "unseen"))
    last = WAYS.index(one_of(until, "until", WAYS)) if until else len(WAYS) - 1
    found = {way: record()["ways"].get(way) for way in WAYS[: last + 1]}
    return [
        {
            "way": way,
            "crops or passes a scene": round(one["passes"], 1),
            "ms a scene": round(one["ratio"] * (ms or 1), 1),
            **{
                name: round(float(np.mean([run[style][name] for run in one["runs"]])), 3)
                for name in ("AP", "AP50")
            },
        }
        for way, one in found.items()
        if one
    ]
