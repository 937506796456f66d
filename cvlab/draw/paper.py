"""The paper of a figure with photos: white, or the dark page's own colour where a widget has told of a dark page.

A chart needs none of this: the page turns it over (`page.css`). A photo must keep its colours, so its figure is drawn
on the paper of the page, with the ink that is read there.
"""

import contextlib

__all__ = ["DARK", "GRID", "INK", "SOFT", "hear", "paper", "themed_paper"]

DARK = "#111111"  # JupyterLab's dark page
INK, SOFT, GRID = "#1f2328", "#57606a", "#dde1e6"  # on white paper: words, sides and ticks, grid lines
_TURNED = {INK: "#e6e8ea", SOFT: "#a3abb4", GRID: "#33383e"}  # the same on dark paper
_heard = ["light"]  # what the page's widgets told last; without any, figures are for white paper


def hear(theme: str) -> None:
    """Take note of the page's theme, "light" or "dark"; widgets call it."""
    _heard[:] = [theme]


def paper() -> str:
    """Return the colour on which a figure with photos is drawn now.

    Example:
        >>> paper()
        'white'
    """
    return DARK if _heard == ["dark"] else "white"


@contextlib.contextmanager
def themed_paper(figure):
    """Draw `figure` on dark paper within this context, if the page is dark; behind it everything is as before."""
    if paper() == "white":
        yield
        return
    figure.draw_without_rendering()  # only now there are all its ticks
    changed = []

    def turn(artist, name, colour):
        changed.append((artist, name, getattr(artist, f"get_{name}")()))
        getattr(artist, f"set_{name}")(colour)

    try:
        for patch in (figure.patch, *(ax.patch for ax in figure.axes)):
            turn(patch, "facecolor", DARK)
        for artist, name in _inked(figure):
            turn(artist, name, _TURNED[_hex(getattr(artist, f"get_{name}")())])
        yield
    finally:
        for artist, name, before in reversed(changed):
            getattr(artist, f"set_{name}")(before)


def _inked(figure):
    """Yield (artist, property) of what is drawn in one of the theme's inks: words, sides, ticks, grid lines."""
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    kinds = {Text: ("color",), Line2D: ("color", "markeredgecolor"), Spine: ("edgecolor",)}
    for kind, names in kinds.items():
        for artist in figure.findobj(kind):
            for name in names:
                if _hex(getattr(artist, f"get_{name}")()) in _TURNED:
                    yield artist, name


def _hex(color) -> str:
    from matplotlib.colors import is_color_like, to_hex

    return to_hex(color) if is_color_like(color) else ""
