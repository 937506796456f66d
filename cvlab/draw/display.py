"""How a figure gets into a notebook: sharp, described in words, small, and at home on a light and a dark page."""

import base64
import contextlib
import io

import numpy as np

from cvlab.draw.paper import paper, themed_paper

__all__ = ["alt_text", "describe", "describe_figures", "encoded", "has_picture", "jpeg_bytes"]

DENSITY = 2  # pixels for each CSS pixel
MOST_WIDTH = 900  # CSS pixels: as wide as JupyterLab's column
QUALITIES = (
    (2, 88),
    (2, 80),
    (1.5, 82),
    (1.5, 72),
)  # (density, JPEG quality), until the file is small ENOUGH
ENOUGH = 100_000  # bytes
MOST_PANELS = 12  # titles that an alternative text holds
MANY = 20_000  # colours: a figure with more is a photo, or as hard on a PNG as one
LARGE = 100_000  # bytes of a PNG for which a JPEG is worth a try
COLORS = (64, 256)  # sizes of a PNG's palette to try
CLOSE, FAR = 4, 60  # levels of 255 by which a palette may change 99 in 100 pixels, and an edge's


def describe(where, text: str) -> None:
    """Say in words what a figure shows, for those who do not see it, where its titles do not say enough.

    Args:
        where: the Figure, or one of its Axes.
        text: one to three sentences: what is to be seen, with its numbers.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> figure, ax = plt.subplots()
        >>> describe(ax, "Loss falls from 2.3 to 0.4 within three epochs.")
        >>> alt_text(figure)
        'Loss falls from 2.3 to 0.4 within three epochs.'
    """
    figure = getattr(where, "figure", None)
    if figure is None or not hasattr(figure, "get_suptitle"):
        raise TypeError(f"where must be a Figure or an Axes; got {type(where).__name__}")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"text must be a sentence; got {text!r}")
    figure.cvlab_alt = " ".join(text.split())


def alt_text(figure) -> str:
    """Return a figure in words: what `describe` said; else its title, then each panel's title or axis labels."""
    if said := getattr(figure, "cvlab_alt", ""):
        return said
    panels = []
    for ax in figure.axes:
        labels = " against ".join(t for t in (ax.get_ylabel(), ax.get_xlabel()) if t)
        title = ax.get_title("left") or ax.get_title("center") or ax.get_title("right")
        panels.append(f"{title} ({labels})" if title and labels else title or labels)
    words = [" ".join(w.split()) for w in (figure.get_suptitle(), *panels) if w]
    if len(words) > MOST_PANELS:
        words = [*words[:MOST_PANELS], f"and {len(words) - MOST_PANELS} more"]
    return "; ".join(words) or f"Figure with {len(figure.axes)} panels"


def has_picture(figure) -> bool:
    """Tell whether a figure holds a picture (`show`, `imshow`): its colours must stay on a dark page."""
    from matplotlib.image import AxesImage, BboxImage, FigureImage
    from matplotlib.offsetbox import OffsetImage

    return bool(
        figure.findobj(lambda artist: isinstance(artist, AxesImage | BboxImage | FigureImage | OffsetImage))
    )


def describe_figures() -> None:
    """From now on, figures shown in a notebook are drawn at twice the page's density, with a text in their place.

    A chart becomes a PNG that the page may turn over in the dark; a figure with photos becomes a JPEG where that
    is smaller. Nothing happens outside a notebook.
    """
    try:
        from IPython import get_ipython
        from matplotlib.figure import Figure

        formatter = get_ipython().display_formatter
        import matplotlib_inline.backend_inline  # noqa: F401  it registers its own PNGs once, when it is imported
    except (ImportError, AttributeError):
        return
    for single in formatter.formatters.values():
        if single is not formatter.formatters["text/plain"]:
            single.pop(Figure, None)
    formatter.mimebundle_formatter.for_type(Figure, _bundle)


def _bundle(figure) -> tuple[dict, dict]:
    """Return the figure as IPython shows it: data and metadata by kind."""
    if not figure.axes and not figure.lines:  # as IPython does: `plt.figure()` alone shows nothing
        return {}, {}
    kind, data, width, height = encoded(figure)
    about = {kind: {"alt": alt_text(figure), "width": width, "height": height}}
    if not has_picture(figure):
        about["needs_background"] = "light"  # beside the kinds, where JupyterLab looks for it
    return {kind: base64.b64encode(data).decode()}, about


def encoded(figure) -> tuple[str, bytes, int, int]:
    """Draw a figure as it will be seen on a page.

    Returns:
        "image/png" or "image/jpeg"; the file's bytes; the width and height at which it is shown, in CSS pixels.
    """
    picture = _drawn(figure)
    scale = min(1 / DENSITY, MOST_WIDTH / picture.width)
    size = round(picture.width * scale), round(picture.height * scale)
    png = _png(picture) if picture.getcolors(MANY) else None
    if png is None or len(png) > LARGE:
        jpeg = jpeg_bytes(picture)
        if png is None or len(jpeg) < 0.75 * len(png):
            return "image/jpeg", jpeg, *size
    return "image/png", png, *size


def _drawn(figure):
    """Return the figure as an RGB picture, and keep none of the big canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text
    from PIL import Image

    dense = 100 * DENSITY * min(1, MOST_WIDTH / 100 / figure.get_figwidth())
    for ax in figure.axes:
        if ax.images:
            ax.grid(False)  # the theme's grid would lie over the picture
    own, stream = figure.canvas, io.BytesIO()
    photos = has_picture(figure)
    try:
        with themed_paper(figure) if photos else contextlib.nullcontext():
            canvas = FigureCanvasAgg(figure)
            canvas.print_figure(
                stream, format="rgba", dpi=dense, bbox_inches="tight", facecolor=figure.get_facecolor()
            )
    finally:
        figure.set_canvas(own)
        for text in figure.findobj(Text):
            text._renderer = (
                None  # it would hold the big canvas, 5 MB, as long as a cell's name holds the figure
            )
    size = int(canvas.renderer.width), int(canvas.renderer.height)
    drawn = Image.frombytes("RGBA", size, stream.getvalue())
    page = Image.new("RGBA", drawn.size, paper() if photos else "white")
    page.alpha_composite(drawn)
    return page.convert("RGB")


def _png(picture) -> bytes:
    """Return the picture as PNG, with a palette where nobody sees that: edges may be coarser, areas not."""
    whole = np.asarray(picture).astype(np.int16)  # (H, W, 3)
    for count in COLORS:
        few = picture.quantize(count, dither=0)
        away = np.abs(np.asarray(few.convert("RGB")) - whole).max(axis=2)  # (H, W)
        if away.max() <= FAR and (away > CLOSE).mean() < 0.01:
            picture = few
            break
    stream = io.BytesIO()
    picture.save(stream, "png", optimize=True)
    return stream.getvalue()


def jpeg_bytes(picture) -> bytes:
    """Return a Pillow picture as JPEG: what is full of detail needs the most bytes, and shows the least of their lack."""
    from PIL import Image

    for density, quality in QUALITIES:
        share, stream = density / DENSITY, io.BytesIO()
        size = round(picture.width * share), round(picture.height * share)
        smaller = picture if share == 1 else picture.resize(size, Image.Resampling.LANCZOS)
        smaller.save(stream, "jpeg", quality=quality, subsampling="4:2:0", optimize=True, progressive=True)
        if len(stream.getvalue()) <= ENOUGH:
            break
    return stream.getvalue()
