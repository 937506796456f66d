"""How figures are sized, numbered and described: the parts that `cvlab.draw` is made of."""

import base64
import io

import numpy as np

__all__ = [
    "alt_text",
    "columns",
    "describe_figures",
    "figure_size",
    "photo_jpeg",
    "pixel_axes",
    "write_numbers",
]

WIDTH = 8.0  # inches: the widest a figure may be
MOST_NUMBERS = 24  # rows or columns: beyond this, numbers in the pixels can't be read


def figure_size(images, cols: int) -> tuple[float, list[float]]:
    """Choose a figure's width and the height of each of its rows, in inches, so that pictures fill their cells."""
    rows = [images[i : i + cols] for i in range(0, len(images), cols)]
    widest = max(im.shape[1] / im.shape[0] for im in images)
    width = min(WIDTH, cols * (3.6 if widest < 2 else WIDTH))
    heights = [max(im.shape[0] / im.shape[1] for im in row) * width / cols for row in rows]
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
    ax.set_xticks(range(width))
    ax.set_yticks(range(height))
    ax.tick_params(length=0, labelsize=7)
    ax.spines[:].set_visible(False)
    if max(height, width) <= MOST_NUMBERS:
        ax.set_xticks(np.arange(-0.5, width), minor=True)
        ax.set_yticks(np.arange(-0.5, height), minor=True)
        ax.grid(which="minor", color="#8a8a8a", linewidth=0.6)
        ax.tick_params(which="minor", length=0)


def write_numbers(ax, image: np.ndarray, limits, signed: bool) -> None:
    """Write each pixel's value into it, black or white, whichever is readable."""
    height, width = image.shape[:2]
    if max(height, width) > MOST_NUMBERS:
        raise ValueError(
            f"numbers=True needs a picture of at most {MOST_NUMBERS} x {MOST_NUMBERS} pixels; "
            f"got {height} x {width}. Crop a piece: image[:8, :8]"
        )
    size = min(9.0, 60.0 / max(height, width)) if image.ndim == 2 else min(8.0, 48.0 / max(height, width))
    full = 1.0 if image.dtype.kind == "f" or image.dtype == bool else 255.0
    for row, col in np.ndindex(height, width):
        value = image[row, col]
        if image.ndim == 3:
            words, light = (
                "\n".join(_number(v) for v in value),
                float(np.dot(value[:3], (0.3, 0.59, 0.11))) / full,
            )
        else:
            light = (float(value) - limits[0]) / (limits[1] - limits[0])
            words, light = _number(value), 1 - abs(2 * light - 1) if signed else light
        ax.text(
            col, row, words, ha="center", va="center", size=size, color="black" if light > 0.5 else "white"
        )


def _number(value) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    return f"{value:d}" if isinstance(value, (int, np.integer)) else f"{value:.2g}"


def describe_figures() -> None:
    """Give figures shown in a notebook an alternative text, and keep those full of photos as JPEG."""
    try:
        from IPython import get_ipython
        from matplotlib.figure import Figure

        formatters = get_ipython().display_formatter.formatters
        original = formatters["image/png"].lookup_by_type(Figure)
    except (ImportError, AttributeError, KeyError):  # not in a notebook, or figures are not drawn inline
        return
    if getattr(original, "describes", False):
        return

    def png(figure):
        """Return the PNG, or nothing after leaving a JPEG for the next formatter: IPython asks in this order."""
        data = original(figure)
        data, metadata = data if isinstance(data, tuple) else (data, {})
        metadata = {**metadata, "alt": alt_text(figure)}
        jpeg = photo_jpeg(base64.b64decode(data) if isinstance(data, str) else data)  # matplotlib: base64
        if jpeg:
            figure.cvlab_jpeg = jpeg, metadata
            return None
        return data, metadata

    png.describes = True
    formatters["image/png"].for_type(Figure, png)
    formatters["image/jpeg"].for_type(Figure, lambda figure: figure.__dict__.pop("cvlab_jpeg", None))


def photo_jpeg(png: bytes, quality: int = 90) -> bytes | None:
    """Return a figure as JPEG when that halves it at least: photos do, lines and numbers do not.

    Args:
        png: the bytes of a PNG file.
        quality: of the JPEG, 1 to 95.

    Returns:
        The bytes of the JPEG file (on white), or None where PNG is the better choice.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    page = Image.new("RGBA", picture.size, "white")
    jpeg = io.BytesIO()
    page.alpha_composite(picture)
    page.convert("RGB").save(jpeg, "jpeg", quality=quality, subsampling=0, optimize=True)
    return jpeg.getvalue() if 2 * len(jpeg.getvalue()) < len(png) else None


def alt_text(figure) -> str:
    """Describe a figure in words: its title, then each panel's title or axis labels."""
    panels = []
    for ax in figure.axes:
        labels = " against ".join(t for t in (ax.get_ylabel(), ax.get_xlabel()) if t)
        panels.append(" ".join(t for t in (ax.get_title(), f"({labels})" if labels else "") if t))
    words = [figure.get_suptitle(), *panels]
    return "; ".join(" ".join(w.split()) for w in words if w) or f"Figure with {len(figure.axes)} panels"
