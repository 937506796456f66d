"""Places for words, so that none lies on another, on a line, or outside the picture."""

from collections.abc import Sequence

import numpy as np

__all__ = ["freest", "spread"]


def freest(
    taken: np.ndarray, places: Sequence[tuple[float, float]], size: tuple[int, int]
) -> tuple[int, int]:
    """Return the place whose words cover the least of what is there, and mark it as taken.

    Args:
        taken: (H, W) float, how bad it is to cover each point; changed.
        places: left and top of each candidate, the dearest first; those that stick out are moved inside.
        size: width and height of the words.

    Returns:
        left and top of the best place.

    Example:
        >>> taken = np.zeros((10, 30))
        >>> [freest(taken, [(2, 2), (16, 2)], (10, 5)) for _ in range(2)]
        [(2, 2), (16, 2)]
    """
    width, height = size
    inside = [
        (
            int(np.clip(x, 0, max(0, taken.shape[1] - width))),
            int(np.clip(y, 0, max(0, taken.shape[0] - height))),
        )
        for x, y in places
    ]
    costs = [taken[y : y + height, x : x + width].sum() for x, y in inside]
    x, y = inside[int(np.argmin(costs))]
    taken[y : y + height, x : x + width] += 10
    return x, y


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Move numbers as little as needed until neighbours are `apart`, all within `low` to `high`.

    Example:
        >>> spread([5, 6, 40], 10, 0, 100)
        [0.5, 10.5, 40.0]
    """
    order = np.argsort(wanted, kind="stable")
    groups = []  # [sum of (wanted - offset), count]: a group stands at its mean
    for at in order:
        groups.append([[at], float(wanted[at])])
        while len(groups) > 1 and groups[-1][1] - _end(groups[-2], apart) < apart:
            members, _ = groups.pop()
            groups[-1][0].extend(members)
            groups[-1][1] = _start(groups[-1][0], wanted, apart)
    placed = [0.0] * len(wanted)
    for members, start in groups:
        for i, at in enumerate(members):
            placed[at] = start + i * apart
    for a, b in zip(order, order[1:], strict=False):  # from the low end up, then from the high end down
        placed[a] = max(placed[a], low)
        placed[b] = max(placed[b], placed[a] + apart)
    top = high
    for at in order[::-1]:
        placed[at] = float(min(max(placed[at], low), top))
        top = placed[at] - apart
    return placed


def _start(members: list[int], wanted: Sequence[float], apart: float) -> float:
    return float(np.mean([wanted[at] - i * apart for i, at in enumerate(members)]))


def _end(group: list, apart: float) -> float:
    return group[1] + (len(group[0]) - 1) * apart
