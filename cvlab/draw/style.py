"""How the course's figures look: one palette with fixed meanings, one type, white paper."""

import contextlib

from cvlab import _validate
from cvlab.draw.display import describe_figures
from cvlab.draw.memory import give_back_memory
from cvlab.draw.paper import GRID, INK, SOFT

__all__ = ["ERROR", "PALETTE", "PREDICTION", "TRUTH", "begin", "theme", "themed"]

# Six of Okabe and Ito's colours: told apart with the common kinds of colour blindness (tests/draw/test_colors.py).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PREDICTION, ERROR, TRUTH = PALETTE[:3]  # blue, vermillion, green

_before: dict = {}  # matplotlib's settings as they were before the first theme
_chosen: list[str] = []  # what `theme` was last asked for


def theme(name: str = "light") -> None:
    """Give the figures drawn from now on the course's look, with seaborn or without; it is for white paper.

    JupyterLab's dark page turns charts over by itself (`page.css`), so there is no dark variant. Matplotlib's
    settings change for the whole session; `theme("off")` brings back what they were before.

    Args:
        name: "light", or "off".
    """
    import matplotlib.pyplot as plt

    _validate.one_of(name, "name", ("light", "off"))
    _chosen[:] = [name]
    if name == "off":
        plt.rcParams.update(_before)
        _before.clear()
        return
    describe_figures()
    give_back_memory()
    look = _look()
    if not _before:
        _before.update({key: plt.rcParams[key] for key in look})
    plt.rcParams.update(look)


def begin() -> None:
    """Set the theme when something is drawn for the first time and nobody has chosen one."""
    if not _chosen:
        theme()


@contextlib.contextmanager
def themed():
    """Return a context in which figures look as `theme` makes them; behind it all settings are as before.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> before = plt.rcParams["axes.titlesize"]
        >>> with themed():
        ...     plt.rcParams["axes.titlesize"]
        13.0
        >>> plt.rcParams["axes.titlesize"] == before
        True
    """
    import matplotlib.pyplot as plt

    chosen = _chosen[:]
    _chosen[:] = ["light"]  # what is drawn in here need not choose for the session
    try:
        with plt.rc_context(_look()):
            yield
    finally:
        _chosen[:] = chosen


def _look() -> dict:
    """Return matplotlib's settings; sizes are points as seen, 100 CSS pixels an inch."""
    import matplotlib.pyplot as plt

    paper = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    ink = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor")
    sides = ("top", "right", "left")
    return {
        **dict.fromkeys(paper, "white"),
        **dict.fromkeys(ink, INK),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), SOFT),
        **{f"axes.spines.{side}": False for side in sides},
        "figure.dpi": 100,
        "figure.titlesize": 13,
        "figure.titleweight": "bold",
        "font.size": 11,
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.labelsize": 11,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "ytick.major.size": 0,
        "legend.fontsize": 10,
        "legend.title_fontsize": 10,
        "legend.frameon": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "patch.edgecolor": "white",
        "lines.linewidth": 2.2,
        "lines.markersize": 6,
        "axes.prop_cycle": plt.cycler(color=PALETTE),
        "image.cmap": "viridis",
    }
