"""Boxes and masks over a picture, with their labels."""

import numpy as np

from cvlab import _validate
from cvlab.draw.colors import class_color
from cvlab.draw.style import PREDICTION

__all__ = ["draw_boxes", "draw_masks"]


def draw_boxes(boxes, *, labels=None, scores=None, color=None, ax=None):
    """Draw boxes, with their labels and scores, over a picture.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels; the box of the top left pixel alone is 0, 0, 1, 1.
        labels: N texts.
        scores: N numbers in [0, 1], written as percent.
        color: one colour for all boxes; by default each label's `class_color`, blue without labels.
        ax: where to draw; by default the current Axes.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    boxes = _validate.boxes(boxes, "boxes")
    labels, scores = _per_item(labels, len(boxes), "labels"), _per_item(scores, len(boxes), "scores")
    ax = ax or plt.gca()
    colors = _colors(labels, len(boxes), color)
    for (x0, y0, x1, y1), label, score, edge in zip(boxes, labels, scores, colors, strict=True):
        corner = (x0 - 0.5, y0 - 0.5)  # imshow puts a pixel's centre, not its corner, at whole numbers
        ax.add_patch(Rectangle(corner, x1 - x0, y1 - y0, fill=False, edgecolor="black", linewidth=3))
        ax.add_patch(Rectangle(corner, x1 - x0, y1 - y0, fill=False, edgecolor=edge, linewidth=1.8))
        words = [str(label)] if label is not None else []
        words += [f"{100 * score:.0f} %"] if score is not None else []
        if words:
            _tag(ax, " ".join(words), corner, edge)
    return ax


def draw_masks(masks, *, labels=None, alpha=0.5, ax=None):
    """Colour the pixels of each mask over a picture, with an outline and a label.

    Args:
        masks: (N, H, W) bool.
        labels: N texts; equal labels get equal colours.
        alpha: 0 leaves the picture as it is, 1 hides it.
        ax: where to draw; by default the current Axes.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb

    masks = _validate.as_array(masks, "masks")
    if masks.ndim != 3 or masks.dtype != bool:
        slip = ". One mask? Pass mask[None]" if masks.ndim == 2 else ""
        raise ValueError(f"masks must be bool of shape (N, H, W); got {masks.dtype} {masks.shape}{slip}")
    labels = _per_item(labels, len(masks), "labels")
    ax = ax or plt.gca()
    for mask, label, color in zip(masks, labels, _colors(labels, len(masks), None), strict=True):
        if not mask.any():
            continue
        layer = np.zeros((*mask.shape, 4))  # (H, W, 4)
        layer[mask] = (*to_rgb(color), alpha)
        ax.imshow(layer, interpolation="nearest")
        ax.contour(mask, levels=[0.5], colors=[color], linewidths=1.5)
        if label is not None:
            rows, cols = np.nonzero(mask)
            _tag(ax, str(label), (cols.mean(), rows.mean()), color)
    return ax


def _per_item(values, count: int, name: str) -> list:
    values = [None] * count if values is None else list(values)
    if len(values) != count:
        raise ValueError(f"{name} must hold one value for each of {count} items; got {len(values)}")
    return values


def _colors(labels, count: int, color) -> list:
    if color is not None:
        return [color] * count
    return [PREDICTION if label is None else class_color(label) for label in labels]


def _tag(ax, words: str, where, color) -> None:
    from matplotlib.colors import to_rgb

    light = float(np.dot(to_rgb(color), (0.3, 0.59, 0.11)))
    ax.text(
        *where,
        words,
        size=8,
        va="bottom",
        color="black" if light > 0.45 else "white",
        bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5},
        clip_on=True,
    )
