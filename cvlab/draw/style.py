"""The course's palette, and how its figures look."""

from cvlab import _validate

__all__ = ["PALETTE", "theme", "themed"]

# Okabe and Ito's palette: told apart with the common kinds of colour blindness, on white and on black.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_PAPER = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
_INK = ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color")
_before: dict = {}  # matplotlib's settings as they were before the first theme


def theme(name: str = "light") -> None:
    """Choose how the figures drawn from now on look: one palette, small titles, no frame at top and right.

    It changes matplotlib's settings for the whole session; `theme("off")` brings back what they were before.

    Args:
        name: "light" (dark text on white, readable on any page), "dark" or "off".
    """
    import matplotlib.pyplot as plt

    _validate.one_of(name, "name", ("light", "dark", "off"))
    if name == "off":
        plt.rcParams.update(_before)
        _before.clear()
        return
    look = _look(name)
    if not _before:
        _before.update({key: plt.rcParams[key] for key in look})
    plt.rcParams.update(look)


def themed(name: str = "light"):
    """Return a context in which figures look as `theme` makes them; behind it all settings are as before.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> before = plt.rcParams["text.color"]
        >>> with themed("dark"):
        ...     plt.rcParams["text.color"]
        '#e8e8e8'
        >>> plt.rcParams["text.color"] == before
        True
    """
    import matplotlib.pyplot as plt

    return plt.rc_context(_look(_validate.one_of(name, "name", ("light", "dark"))))


def _look(name: str) -> dict:
    """Return matplotlib's settings for a theme."""
    import matplotlib.pyplot as plt

    paper, ink = ("white", "#222222") if name == "light" else ("#1b1b1b", "#e8e8e8")
    sizes = {"axes.titlesize": 10, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8}
    frame = {"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90}
    cycle = {"axes.prop_cycle": plt.cycler(color=[PALETTE[i] for i in (4, 5, 2, 0, 6, 1)])}
    return dict.fromkeys(_PAPER, paper) | dict.fromkeys(_INK, ink) | sizes | frame | cycle
