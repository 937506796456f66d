"""How pictures are sized, ruled and numbered: the parts that `show` is made of. Sizes are inches and points as seen."""

import numpy as np

from cvlab.draw.colors import ink

__all__ = ["caption", "columns", "figure_size", "number_cell", "pixel_axes", "write_numbers"]

WIDTH = 9.0  # inches: the widest a figure may be
ALONE, TALLEST = 6.0, 5.0  # inches: the widest and the tallest picture that stands alone
MOST_NUMBERS = 24  # rows or columns: beyond this, numbers in the pixels can't be read
HEAD, NAME = 13, 11  # points: the title of a figure, the name of a panel
TYPE = 10  # points: the least size of type, where the figure's maker leaves room for it
DIGIT = 0.64  # width of a digit in its size


def figure_size(images, cols: int, *, titles=None, cell: float = 0) -> tuple[float, list[float], list[float]]:
    """Choose a figure's width, the height of each of its rows, and the columns' shares of the width.

    Args:
        images: pictures, (H, W, ...) each.
        cols: how many stand in a row.
        titles: one text for each, to be wrapped; None for none.
        cell: points that a pixel needs, for numbers in it.

    Returns:
        Inches; inches; shares, so that pictures are equally tall where they stand in one row.
    """
    shapes = [image.shape[1] / image.shape[0] for image in images]  # width / height
    shares = [float(np.clip(shape, 0.4, 4)) for shape in shapes] if len(images) <= cols else [1.0] * cols
    width = min(WIDTH, 3.6 * cols if cols > 1 else ALONE)
    if len(images) == 1:
        width = min(width, max(3.0, TALLEST * shapes[0]))
    if cell:
        each = zip(images, shares if len(images) <= cols else [1.0] * len(images), strict=False)
        needed = sum(shares) * max((image.shape[1] * cell / 72 + 0.4) / share for image, share in each)
        width = min(WIDTH, max(2.5, needed))
    inches = [width * share / sum(shares) for share in shares]
    heights = []
    for start in range(0, len(images), cols):
        row = list(zip(shapes[start : start + cols], inches, strict=False))
        tall = max(wide / shape for shape, wide in row)
        texts = titles[start : start + cols] if titles else []
        lines = [wrapped(t, 72 * wide, NAME).count("\n") + 1 for t, wide in zip(texts, inches, strict=False)]
        heights.append(
            min(max(tall, 0.5), WIDTH if cell else 6.0) + 0.15 + 1.2 * NAME / 72 * max(lines, default=0)
        )
    return width, heights, shares


def columns(count: int, most: int = 4) -> int:
    """Choose the pictures in a row, up to `most`, that leave the fewest gaps in the last row."""
    if count <= most:
        return count
    return min(range(most, 1, -1), key=lambda c: (-(-count // c)) * c - count, default=1)


def caption(ax, text: str) -> None:
    """Set a title as wide as its picture: bold where it is the figure's only one, else a panel's name."""
    alone = len(ax.figure.axes) == 1
    size, weight = (HEAD, "bold") if alone else (NAME, "normal")
    width = 72 * (ax.figure.get_figwidth() if alone else _extent(ax)[0])
    ax.set_title(wrapped(text, width, size, weight), fontsize=size, fontweight=weight, loc="left")


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Break a text into lines of at most `width` points, at spaces; its own line breaks stay."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(weight=weight)

    def long(words) -> bool:
        return TextPath((0, 0), " ".join(words), size=size, prop=font).get_extents().width > width

    lines = []
    for paragraph in str(text).split("\n"):
        line: list[str] = []
        for word in paragraph.split(" "):
            if line and long([*line, word]):
                lines.append(" ".join(line))
                line = []
            line.append(word)
        lines.append(" ".join(line))
    return "\n".join(lines)


def pixel_axes(ax, shape, *, ticks: bool) -> None:
    """Hide the axes of a photo; number the rows and columns of a small grid, as many as can be read."""
    height, width = shape[:2]
    ax.grid(False)
    ax.set_anchor("NW")
    if not ticks:
        ax.set_axis_off()
        return
    inches = _extent(ax)
    cell = 72 * min(inches[0] / width, inches[1] / height)
    step = next((s for s in (1, 2, 5, 10) if s * cell >= 2 * DIGIT * TYPE + 3), 20)
    ax.set_xticks(range(0, width, step))
    ax.set_yticks(range(0, height, step))
    ax.tick_params(length=0, labelsize=TYPE)
    ax.spines[:].set_visible(False)
    if max(height, width) <= MOST_NUMBERS:
        ax.set_xticks(np.arange(-0.5, width), minor=True)
        ax.set_yticks(np.arange(-0.5, height), minor=True)
        ax.grid(which="minor", color="#8a8a8a", linewidth=0.6)
        ax.tick_params(which="minor", length=0)


def number_cell(images) -> float:
    """Return the points that a pixel needs so that its number, or three in colour, can be written into it."""
    longest = max(len(word) for image in images for value in image.ravel() for word in [_number(value)])
    lines = max(image.shape[2] if image.ndim == 3 else 1 for image in images)
    return max(longest * DIGIT * TYPE + 4, lines * 1.2 * TYPE + 6, 2.2 * TYPE)


def write_numbers(ax, image: np.ndarray) -> None:
    """Write each value of the picture that `ax` holds into its pixel, black or white, whichever is readable, as large as fits."""
    from cvlab.draw.placing import BeforeDrawing

    height, width = image.shape[:2]
    if max(height, width) > MOST_NUMBERS:
        raise ValueError(
            f"numbers=True needs a picture of at most {MOST_NUMBERS} x {MOST_NUMBERS} pixels; "
            f"got {height} x {width}. Crop a piece: image[:8, :8]"
        )
    colors = ax.images[-1].to_rgba(image)  # (H, W, 4)
    texts = []
    for row, col in np.ndindex(height, width):
        words = "\n".join(_number(value) for value in image[row, col].ravel())
        style = {"size": TYPE, "color": ink(colors[row, col])}
        texts.append(ax.text(col, row, words, ha="center", va="center", **style))
        texts[-1].set_in_layout(False)
    needs = number_cell([image]) / TYPE  # points of a cell for each point of type

    def fit(_) -> None:
        (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
        cell = min(abs(x1 - x0), abs(y1 - y0)) * 72 / ax.figure.dpi
        for text in texts:
            text.set_fontsize(min(TYPE + 2, cell / needs))

    ax.add_artist(BeforeDrawing(fit, zorder=0.1))


def _extent(ax) -> tuple[float, float]:
    """Return an Axes' width and height in inches, as far as they are known before a layout."""
    box, figure = ax.get_position(), ax.figure
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()


def _number(value) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    return f"{value:d}" if isinstance(value, (int, np.integer)) else f"{value:.2g}"
