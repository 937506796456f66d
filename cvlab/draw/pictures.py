"""One picture or several, with numbers in the pixels where wanted."""

import numpy as np

from cvlab import _validate
from cvlab.draw.figure import WIDTH, caption, columns, figure_size, number_cell, pixel_axes, write_numbers
from cvlab.draw.style import begin

__all__ = ["show", "show_many"]


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
        >>> ax.get_title("left")
        'Three ones'
    """
    import matplotlib.pyplot as plt

    begin()
    image = _drawable(image)
    if ax is None:
        width, heights, _ = figure_size(
            [image], 1, titles=[title or ""], cell=number_cell([image]) if numbers else 0
        )
        _, ax = plt.subplots(figsize=(width, heights[0]), layout="constrained")
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
        write_numbers(ax, image)
    if title is not None:
        caption(ax, title)
    return ax


def show_many(images, *, titles=None, cols=None, numbers=False, signed=False, limits=None):
    """Draw several pictures in one figure, row by row.

    Args:
        images: a sequence of pictures as `show` takes them; they may differ in size.
        titles: one text for each picture.
        cols: pictures in a row; by default up to four, fewer when that fills the last row better or numbers
            need the room.
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

    begin()
    images = [_drawable(image, f"images[{i}]") for i, image in enumerate(images)]
    if not images:
        raise ValueError("images must hold at least one picture; got none")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles must hold one text for each of the {len(images)} images; got {len(titles)}")
    cell = number_cell(images) if numbers else 0
    if cols is None:
        widest = max(image.shape[1] for image in images) * cell / 72 + 0.4
        cols = columns(len(images), 4 if not numbers else min(4, max(1, int(WIDTH / widest))))
    cols = min(_validate.positive_int(cols, "cols"), len(images))
    rows = -(-len(images) // cols)
    width, heights, shares = figure_size(images, cols, titles=titles, cell=cell)
    _, grid = plt.subplots(
        rows,
        cols,
        figsize=(width, sum(heights)),
        height_ratios=heights,
        width_ratios=shares,
        layout="constrained",
        squeeze=False,
    )
    axes = grid.ravel()
    for i, image in enumerate(images):
        title = None if titles is None else titles[i]
        show(image, title=title, numbers=numbers, signed=signed, limits=limits, ax=axes[i])
    for ax in axes[len(images) :]:
        ax.remove()
    return axes[: len(images)]


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
