"""Drawing for lessons: one picture, several, numbers in the pixels, boxes, masks, labels.

Every function returns Axes, changes none of its inputs and never calls `plt.show()`.
"""

import numpy as np

from cvlab import _validate
from cvlab._figure import columns, describe_figures, figure_size, pixel_axes, write_numbers

__all__ = ["PALETTE", "draw_boxes", "draw_masks", "show", "show_many", "theme"]

# Okabe and Ito's palette: told apart with the common kinds of colour blindness, on white and on black.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def show(image, *, title=None, numbers=False, signed=False, limits=None, ax=None):
    """Draw one picture; pixels that are enlarged stay sharp squares.

    Args:
        image: (H, W) or (H, W, 1), (H, W, 3), (H, W, 4); bool, uint8 in 0 to 255, or floats. Colour floats
            must be in [0, 1]; a (H, W) map may hold any numbers.
        title: text above the picture: what it shows or proves.
        numbers: write each pixel's value into it (at most 24 x 24 pixels).
        signed: colour a (H, W) map of differences: 0 is white, negative blue, positive red.
        limits: (low, high) values drawn black and white; by default 0 to 255 for uint8, 0 to 1 for bool and
            for floats in [0, 1], else the smallest and the largest value.
        ax: where to draw; by default a new figure.

    Returns:
        The Axes. Column x and row y are at data coordinates (x, y), the centre of that pixel.

    Example:
        >>> ax = show(np.eye(3), title="Three ones")
        >>> ax.get_title()
        'Three ones'
    """
    import matplotlib.pyplot as plt

    image = _drawable(image)
    if ax is None:
        width, heights = figure_size([image], 1)
        _, ax = plt.subplots(figsize=(width, heights[0]), layout="constrained", dpi=80)
    describe_figures()
    colour = image.ndim == 3
    if colour and signed:
        raise ValueError(
            f"signed=True draws a (H, W) map; got {image.shape}. Pass one channel: image[..., 0]"
        )
    low, high = (None, None) if colour else _limits(image, signed, limits)
    small = max(image.shape[:2]) <= 200  # drawn larger than it is: keep its pixels square
    ax.imshow(
        image,
        cmap=None if colour else ("RdBu_r" if signed else "gray"),
        vmin=low,
        vmax=high,
        interpolation="nearest" if small else "auto",
    )
    pixel_axes(ax, image.shape, ticks=numbers or max(image.shape[:2]) <= 16)
    if numbers:
        write_numbers(ax, image, (low, high), signed)
    if title is not None:
        ax.set_title(title, fontsize=10)
    return ax


def show_many(images, *, titles=None, cols=None, numbers=False, signed=False, limits=None):
    """Draw several pictures in one figure, row by row.

    Args:
        images: a sequence of pictures as `show` takes them; they may differ in size.
        titles: one text for each picture.
        cols: pictures in a row; by default up to four, fewer when that fills the last row better.
        numbers: as in `show`.
        signed: as in `show`, for all pictures.
        limits: as in `show`, for all pictures.

    Returns:
        (N,) object array of the Axes that hold the pictures.

    Example:
        >>> show_many([np.zeros((4, 4)), np.ones((4, 4))], titles=["black", "white"]).shape
        (2,)
    """
    import matplotlib.pyplot as plt

    images = [_drawable(image, f"images[{i}]") for i, image in enumerate(images)]
    if not images:
        raise ValueError("images must hold at least one picture; got none")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles must hold one text for each of the {len(images)} images; got {len(titles)}")
    cols = _validate.positive_int(cols, "cols") if cols is not None else columns(len(images))
    cols = min(cols, len(images))
    rows = -(-len(images) // cols)
    width, heights = figure_size(images, cols)
    _, grid = plt.subplots(
        rows,
        cols,
        figsize=(width, sum(heights)),
        height_ratios=heights,
        layout="constrained",
        dpi=80,
        squeeze=False,
    )
    axes = grid.ravel()
    for i, image in enumerate(images):
        title = None if titles is None else titles[i]
        show(image, title=title, numbers=numbers, signed=signed, limits=limits, ax=axes[i])
    for ax in axes[len(images) :]:
        ax.remove()
    return axes[: len(images)]


def draw_boxes(boxes, *, labels=None, scores=None, color=None, ax=None):
    """Draw boxes, with their labels and scores, over a picture.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in pixels; the box of the top left pixel alone is 0, 0, 1, 1.
        labels: N texts.
        scores: N numbers in [0, 1], written as percent.
        color: one colour for all boxes; by default one for each different label.
        ax: where to draw; by default the current Axes.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    boxes = _validate.as_array(boxes, "boxes").reshape(-1, 4) if np.size(boxes) == 0 else _boxes(boxes)
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


def theme(name: str = "light") -> None:
    """Choose how the figures drawn from now on look: one palette, small titles, no frame at top and right.

    Args:
        name: "light" (dark text on white, readable on any page) or "dark".
    """
    import matplotlib.pyplot as plt

    _validate.one_of(name, "name", ("light", "dark"))
    paper, ink = ("white", "#222222") if name == "light" else ("#1b1b1b", "#e8e8e8")
    parts = (
        "text.color",
        "axes.labelcolor",
        "axes.edgecolor",
        "axes.titlecolor",
        "xtick.color",
        "ytick.color",
    )
    plt.rcParams.update({f"{part}.facecolor": paper for part in ("figure", "axes", "savefig")})
    plt.rcParams.update(dict.fromkeys(parts, ink))
    plt.rcParams.update(
        {"axes.titlesize": 10, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8}
    )
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90})
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=[PALETTE[i] for i in (4, 5, 2, 0, 6, 1)])


def _drawable(image, name="image") -> np.ndarray:
    if type(image).__module__.startswith(("torch", "torchvision")):
        raise TypeError(
            f"{name} must be a NumPy array; got a torch tensor of shape {tuple(image.shape)}. "
            "tensor.permute(1, 2, 0).numpy() puts the channels last"
        )
    image = _validate.image(image, name)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]  # (H, W)
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(
            f"{name} must be finite; got {np.count_nonzero(~np.isfinite(image))} values NaN or infinite"
        )
    if image.ndim == 3 and image.dtype != np.uint8:
        low, high = image.min(), image.max()
        if low < 0 or high > (1 if image.dtype.kind == "f" else 255):
            raise ValueError(
                f"{name} in colour must be uint8 or floats in [0, 1]; got {image.dtype} from {low:.3g} to {high:.3g}. "
                "Normalised? denormalize it first"
            )
        image = image if image.dtype.kind == "f" else image.astype(np.uint8)
    return image


def _limits(image: np.ndarray, signed: bool, limits) -> tuple[float, float]:
    if limits is not None:
        low, high = limits
        if not low < high:
            raise ValueError(f"limits must be (low, high) with low < high; got {limits}")
        return low, high
    if signed:
        most = float(np.abs(image.astype(float)).max()) or 1.0
        return -most, most
    if image.dtype == np.uint8:
        return 0, 255
    low, high = float(image.min()), float(image.max())
    if low >= 0 and high <= 1:
        return 0, 1
    return (low, high) if low < high else (low - 1, high + 1)  # one value everywhere: mid grey


def _boxes(boxes) -> np.ndarray:
    boxes = _validate.as_array(boxes, "boxes")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        slip = ". One box? Pass [box]" if boxes.shape == (4,) else ""
        raise ValueError(f"boxes must have shape (N, 4) as x0, y0, x1, y1; got {boxes.shape}{slip}")
    bad = np.flatnonzero((boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1]))
    if len(bad):
        raise ValueError(
            f"boxes must be x0, y0, x1, y1 with x0 <= x1 and y0 <= y1; got boxes[{bad[0]}] = {boxes[bad[0]].tolist()}. "
            "x, y, width, height? Add x0 to the third number and y0 to the fourth"
        )
    return boxes


def _per_item(values, count: int, name: str) -> list:
    values = [None] * count if values is None else list(values)
    if len(values) != count:
        raise ValueError(f"{name} must hold one value for each of {count} items; got {len(values)}")
    return values


def _colors(labels, count: int, color) -> list:
    if color is not None:
        return [color] * count
    kinds = list(dict.fromkeys(labels)) if any(label is not None for label in labels) else None
    order = range(count) if kinds is None else [kinds.index(label) for label in labels]
    return [PALETTE[i % len(PALETTE)] for i in order]


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
