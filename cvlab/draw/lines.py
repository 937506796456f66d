"""Lines that carry their names at their ends, in place of a legend."""

import numpy as np

from cvlab.draw.colors import readable

__all__ = ["label_lines", "spread"]

GAP = 6  # points between a line's end and its name
LEADING = 1.25  # height of a line of text in its size


def label_lines(ax=None, names=None, *, size=11):
    """Write each line's name at its right end, in the line's colour; names never collide, a far one gets a leader.

    It takes the place of the legend, which is removed. Room at the right is made by `layout="constrained"`.

    Args:
        ax: by default the current Axes.
        names: one name for each line of `ax`, None for a line that needs none; by default the lines' labels.
        size: of the text, in points.

    Returns:
        The Axes.

    Raises:
        ValueError: when no line has a label, or `names` has another length than there are lines.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> figure, ax = plt.subplots(layout="constrained")
        >>> lines = ax.plot([0, 1], [0, 1], label="ours"), ax.plot([0, 1], [0, 0.99], label="theirs")
        >>> [text.get_text() for text in label_lines(ax).texts]
        ['ours', 'theirs']
    """
    import matplotlib.pyplot as plt

    from cvlab.draw.placing import BeforeDrawing

    ax = ax or plt.gca()
    named = _named(ax, names)
    if ax.get_legend():
        ax.get_legend().remove()
    ax.get_xlim(), ax.get_ylim()  # settles the scale on which the ends lie
    ends = [_End(ax, line, name, size) for line, name in named]
    _place(ends)  # now, so that a layout knows how wide it gets; again when the sizes are settled
    ax.add_artist(BeforeDrawing(lambda _: _place(ends), zorder=-1))
    return ax


def spread(places, size: float, low: float, high: float) -> np.ndarray:
    """Move places on a line as little as possible until each is `size` from the next, all of them in [low, high].

    Args:
        places: (N,) numbers, in any order.
        size: what each needs; where N of them do not fit they overflow on both sides alike.
        low: the least place.
        high: the greatest place.

    Returns:
        (N,) the new places, in the order of the old ones.

    Example:
        >>> spread([5, 5.5, 9], 1, 0, 9).tolist()
        [4.75, 5.75, 9.0]
    """
    places = np.asarray(places, float)
    order = np.argsort(places, kind="stable")
    groups: list[list] = []  # [sum of wanted first places, members]
    room = (len(places) - 1) * size
    if room > high - low:
        low, high = (low + high - room) / 2, (low + high + room) / 2
    for place in places[order]:
        groups.append([place, 1])
        while len(groups) > 1 and _first(groups[-2], size, low, high) + groups[-2][1] * size > _first(
            groups[-1], size, low, high
        ):
            wanted, count = groups.pop()
            groups[-1][0] += wanted - count * groups[-1][1] * size
            groups[-1][1] += count
    spots = [_first(group, size, low, high) + i * size for group in groups for i in range(group[1])]
    moved = np.empty_like(places)
    moved[order] = spots
    return moved


def _first(group, size, low, high) -> float:
    """Return where a group of touching places begins: at the mean of what its members want, inside the bounds."""
    wanted, count = group
    return float(np.clip(wanted / count, low, high - (count - 1) * size))


def _named(ax, names) -> list:
    if names is None:
        handles, labels = ax.get_legend_handles_labels()
        named = [
            (h[0] if isinstance(h, tuple) else h, label) for h, label in zip(handles, labels, strict=True)
        ]
        named = [(_with_data(ax, line), label) for line, label in named if hasattr(line, "get_xydata")]
        if not named:
            raise ValueError(
                'ax must hold lines with labels; got none. Plot each with ax.plot(x, y, label="its name"), '
                "or pass names=[...]"
            )
        return named
    lines = list(ax.lines)
    if len(names) != len(lines):
        raise ValueError(f"names must hold one name for each of {len(lines)} lines; got {len(names)}")
    return [(line, str(name)) for line, name in zip(lines, names, strict=True) if name is not None]


def _with_data(ax, line):
    """Return the line itself, or the one that it only stands for: seaborn's names are on lines without points."""
    if len(line.get_xydata()):
        return line
    alike = [other for other in ax.lines if len(other.get_xydata()) and other.get_color() == line.get_color()]
    return alike[0] if alike else line


class _End:
    """The end of one line, and its name: an annotation whose place is found when it is drawn."""

    def __init__(self, ax, line, name: str, size: float):
        from matplotlib.transforms import ScaledTranslation

        self.ax, self.line, self.size = ax, line, size
        color = line.get_color()
        shift = ScaledTranslation(GAP / 72, 0, ax.figure.dpi_scale_trans)
        self.text = ax.annotate(
            name,
            xy=self.point(),
            xytext=self.point(),
            textcoords=ax.transData + shift,
            color=readable(color, ax.get_facecolor()),
            size=size,
            va="center",
            ha="left",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.9,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
        self.text.arrow_patch.set_visible(False)

    def point(self) -> tuple[float, float]:
        """Return the line's last point that can be drawn, x and y in data coordinates."""
        points = np.asarray(self.line.get_xydata(), float)
        points = points[np.isfinite(points).all(axis=1)]
        return tuple(points[np.argmax(points[:, 0])]) if len(points) else (0.0, 0.0)


def _place(ends: list[_End]) -> None:
    """Put the names into one column behind the longest line."""
    ax = ends[0].ax
    to_pixels, back = ax.transData, ax.transData.inverted()
    at = np.array([to_pixels.transform(end.point()) for end in ends])  # (N, 2) pixels
    box = ax.get_window_extent()
    at = np.clip(at, (box.x0, box.y0), (box.x1, box.y1))
    point = ax.figure.dpi / 72  # pixels
    height = LEADING * point * ends[0].size
    places = spread(at[:, 1], height, box.y0, box.y1)
    column = at[:, 0].max()
    for end, (x, y), place in zip(ends, at, places, strict=True):
        far = abs(place - y) > 0.6 * height or column - x > 4 * point
        end.text.xy = back.transform((x, y))
        end.text.set_position(back.transform((column + (2 * GAP * point if far else 0), place)))
        end.text.arrow_patch.set_visible(bool(far))
