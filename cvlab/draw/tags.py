"""Tags on a picture: each at its box, none over another, all inside the picture."""

import numpy as np

from cvlab.draw.colors import ink

__all__ = ["places", "tag"]

SIZE, PAD = 10, 2  # points: the type of a tag, and the colour around it


def tag(ax, words: str, corners, color) -> None:
    """Write words on a plate of `color` at a box; where exactly is found when the figure is drawn.

    Args:
        ax: the Axes that hold the picture.
        words: one line.
        corners: (2, 2) the box's x0, y0 and x1, y1 in data coordinates; both the same for a point.
        color: of the plate; the words are black or white, whichever is readable.
    """
    from cvlab.draw.placing import BeforeDrawing

    plate = {"facecolor": color, "edgecolor": "none", "pad": PAD}
    text = ax.text(
        *corners[0], words, size=SIZE, color=ink(color), va="bottom", ha="left", bbox=plate, zorder=6
    )
    text.set_in_layout(False)
    if not hasattr(ax, "cvlab_tags"):
        ax.cvlab_tags = []
        ax.add_artist(BeforeDrawing(lambda renderer: _place(ax, renderer), zorder=5.9))
    ax.cvlab_tags.append((text, np.asarray(corners, float)))


def places(boxes, sizes, page) -> np.ndarray:
    """Find a place for each tag: above its box, inside, below, or as near as there is room; no two overlap.

    Args:
        boxes: (N, 4) left, bottom, right, top in pixels, y upwards.
        sizes: (N, 2) width and height of the tags.
        page: left, bottom, right, top of the picture, in which tags stay.

    Returns:
        (N, 2) left and bottom of each tag.

    Example:
        >>> places([(0, 0, 50, 50), (0, 0, 50, 48)], [(30, 10), (30, 10)], (0, 0, 100, 100)).tolist()
        [[0.0, 50.0], [0.0, 38.0]]
    """
    left, bottom, right, top = page
    taken: list[tuple] = []
    found = []
    for (x0, y0, x1, y1), (width, height) in zip(boxes, sizes, strict=True):
        most = max(left, right - width), max(bottom, top - height)
        near = [(x0, y1), (x1 - width, y1), (x0, y1 - height), (x1 - width, y1 - height)]
        near += [(x0, y0 - height), (x1 - width, y0 - height), (x0, y0), (x1 - width, y0)]
        steps = np.arange(bottom, most[1] + 1, max(1, height / 4))
        slide = sorted(
            ((x, y) for x in (x0, x1 - width, x1, x0 - width) for y in steps), key=lambda p: abs(p[1] - y1)
        )
        for x, y in [*near, *slide]:
            spot = float(np.clip(x, left, most[0])), float(np.clip(y, bottom, most[1]))
            area = (*spot, spot[0] + width, spot[1] + height)
            if not any(_overlap(area, other) for other in taken):
                break
        else:  # more tags than the picture has room for: this one covers another
            spot = float(np.clip(x0, left, most[0])), float(np.clip(y1, bottom, most[1]))
            area = (*spot, spot[0] + width, spot[1] + height)
        taken.append(area)
        found.append(spot)
    return np.array(found).reshape(-1, 2)


def _overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _place(ax, renderer) -> None:
    """Move an Axes' tags to their places."""
    to_pixels = ax.transData
    pad = PAD * renderer.points_to_pixels(1)
    boxes, sizes = [], []
    for text, corners in ax.cvlab_tags:
        ends = to_pixels.transform(corners)
        boxes.append((*ends.min(axis=0), *ends.max(axis=0)))
        extent = text.get_window_extent(renderer)
        sizes.append((extent.width + 2 * pad, extent.height + 2 * pad))
    spots = places(boxes, sizes, ax.get_window_extent(renderer).extents)
    for (text, _), spot in zip(ax.cvlab_tags, to_pixels.inverted().transform(spots + pad), strict=True):
        text.set_position(spot)
