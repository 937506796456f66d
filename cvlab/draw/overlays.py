"""Boxes and masks over a picture, with their labels."""

import numpy as np

from cvlab import _validate
from cvlab.draw.colors import class_color, ink
from cvlab.draw.style import PREDICTION, begin
from cvlab.draw.tags import tag

__all__ = ["draw_boxes", "draw_masks"]


def draw_boxes(boxes, *, labels=None, scores=None, color=None, ax=None):
    """Draw boxes over a picture; their labels and scores stand in tags that never cover one another.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels; the box of the top left pixel alone is 0, 0, 1, 1.
        labels: N texts.
        scores: N numbers in [0, 1], written as percent.
        color: one colour for all boxes, such as `TRUTH`; by default each label's `class_color`, `PREDICTION`
            without labels.
        ax: where to draw; by default the current Axes.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    begin()
    boxes = _validate.boxes(boxes, "boxes")
    labels, scores = _per_item(labels, len(boxes), "labels"), _per_item(scores, len(boxes), "scores")
    ax = ax or plt.gca()
    for box, label, score in zip(boxes, labels, scores, strict=True):
        edge = _color(label, color)
        (x0, y0), (x1, y1) = corners = (
            box.reshape(2, 2) - 0.5
        )  # imshow puts a pixel's centre at whole numbers
        for edgecolor, linewidth in ((ink(edge), 3.6), (edge, 2.2)):
            ax.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=edgecolor, linewidth=linewidth)
            )
        words = [str(label)] if label is not None else []
        words += [f"{100 * score:.0f} %"] if score is not None else []
        if words:
            tag(ax, " ".join(words), corners, edge)
    return ax


def draw_masks(masks, *, labels=None, alpha=0.5, ax=None):
    """Colour the pixels of each mask over a picture, with an outline and a label.

    Args:
        masks: (N, H, W) bool.
        labels: N texts; a label's colour is its `class_color`, `PREDICTION` without labels.
        alpha: 0 leaves the picture as it is, 1 hides it.
        ax: where to draw; by default the current Axes.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb

    begin()
    masks = _validate.as_array(masks, "masks")
    if masks.ndim != 3 or masks.dtype != bool:
        slip = ". One mask? Pass mask[None]" if masks.ndim == 2 else ""
        raise ValueError(f"masks must be bool of shape (N, H, W); got {masks.dtype} {masks.shape}{slip}")
    labels = _per_item(labels, len(masks), "labels")
    ax = ax or plt.gca()
    for mask, label in zip(masks, labels, strict=True):
        if not mask.any():
            continue
        color = _color(label, None)
        layer = np.zeros((*mask.shape, 4))  # (H, W, 4)
        layer[mask] = (*to_rgb(color), alpha)
        ax.imshow(layer, interpolation="nearest")
        ax.contour(mask, levels=[0.5], colors=[color], linewidths=1.8)
        if label is not None:
            rows, cols = np.nonzero(mask)
            tag(ax, str(label), np.array([(cols.mean(), rows.mean())] * 2), color)
    return ax


def _per_item(values, count: int, name: str) -> list:
    values = [None] * count if values is None else list(values)
    if len(values) != count:
        raise ValueError(f"{name} must hold one value for each of {count} items; got {len(values)}")
    return values


def _color(label, color) -> str:
    """Return an item's colour; the position in the list has no say."""
    if color is not None:
        return color
    return PREDICTION if label is None else class_color(label)
