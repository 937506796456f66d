"""The course's palette, and how its figures look."""

from cvlab import _validate

__all__ = ["PALETTE", "theme"]

# Okabe and Ito's palette: told apart with the common kinds of colour blindness, on white and on black.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


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
