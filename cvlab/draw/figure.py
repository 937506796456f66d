"""How pictures are sized and numbered: the parts that `cvlab.draw` is made of."""

import numpy as np

from cvlab.draw.colors import contrast

__all__ = [
    "columns",
    "figure_size",
    "pixel_axes",
    "write_numbers",
]

WIDTH = 9.0  # inches: the widest a figure may be
CELL = 0.55  # inches: the largest that a picture's pixel is drawn
MOST_TICKS = 8  # along an axis
MOST_NUMBERS = 24  # rows or columns: beyond this, numbers in the pixels can't be read


def figure_size(images, cols: int) -> tuple[float, list[float]]:
    """Choose a figure's width and the height of each of its rows, in inches, so that pictures fill their cells."""
    rows = [images[i : i + cols] for i in range(0, len(images), cols)]
    widest = max(im.shape[1] / im.shape[0] for im in images)
    width = min(WIDTH, cols * (3.6 if widest < 2 else WIDTH))
    heights = [
        max(min(im.shape[0] / im.shape[1] * width / cols, im.shape[0] * CELL) for im in row) for row in rows
    ]
    return width, [min(max(height, 0.5), 6.0) + 0.3 for height in heights]


def columns(count: int) -> int:
    """Choose the pictures in a row, up to four, that leave the fewest gaps in the last row."""
    return min(range(4, 1, -1), key=lambda c: (-(-count // c)) * c - count) if count > 4 else count


def pixel_axes(ax, shape, *, ticks: bool) -> None:
    """Hide the axes of a photo; number the rows and columns of a small grid."""
    height, width = shape[:2]
    if not ticks:
        ax.set_axis_off()
        return
    ax.grid(visible=False)  # the theme's, which would strike the numbers out
    ax.set_anchor("NW")
    step = -(-max(height, width) // MOST_TICKS)
    ax.set_xticks(range(0, width, step))
    ax.set_yticks(range(0, height, step))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if max(height, width) <= MOST_NUMBERS:
        ax.set_xticks(np.arange(-0.5, width), minor=True)
        ax.set_yticks(np.arange(-0.5, height), minor=True)
        ax.grid(which="minor", color="#8a8a8a", linewidth=0.6)
        ax.tick_params(which="minor", length=0)


def write_numbers(ax, image: np.ndarray) -> None:
    """Write each pixel's value into the picture that `ax` shows, in black or white, whichever reads better."""
    height, width = image.shape[:2]
    if max(height, width) > MOST_NUMBERS:
        raise ValueError(
            f"numbers=True needs a picture of at most {MOST_NUMBERS} x {MOST_NUMBERS} pixels; "
            f"got {height} x {width}. Crop a piece: image[:8, :8]"
        )
    size = min(11.0, 72.0 / max(height, width)) if image.ndim == 2 else min(10.0, 48.0 / max(height, width))
    full = 1.0 if image.dtype.kind == "f" or image.dtype == bool else 255.0
    picture = ax.images[-1]
    for row, col in np.ndindex(height, width):
        value = image[row, col]
        if image.ndim == 3:
            words, ground = "\n".join(_number(v) for v in value), value[:3] / full
        else:
            words, ground = _number(value), picture.to_rgba(float(value))
        ink = "black" if contrast("black", ground) > contrast("white", ground) else "white"
        ax.text(col, row, words, ha="center", va="center", size=size, color=ink)


def _number(value) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    return f"{value:d}" if isinstance(value, (int, np.integer)) else f"{value:.2g}"
