"""Names at the ends of lines: where they stand, and that they never collide."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from cvlab import draw
from cvlab.draw.lines import spread


@pytest.fixture(autouse=True)
def themed():
    with draw.themed():
        yield
    plt.close("all")


def drawn(ends, *, scale="linear", size=(9, 3)):
    """Return the Axes of lines that end at these heights, and the names' boxes in pixels, both once drawn."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    for i, end in enumerate(ends):
        ax.plot([0, 1, 2], [1, 2, end], label=f"line {i}")
    ax.set(yscale=scale, title="A title")
    draw.label_lines(ax)
    figure.canvas.draw()
    return ax, words(ax)


def words(ax):
    """Return the boxes of an Axes' texts alone, in pixels: an annotation's own box holds its leader too."""
    return [Text.get_window_extent(text) for text in ax.texts]


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=9),
    st.floats(0.1, 5),
    st.floats(-60, 60),
    st.floats(0, 60),
)
def test_spread_keeps_order_distance_and_bounds(wanted, size, low, room):
    moved = spread(wanted, size, low, low + room)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(moved[order]) >= size - 1e-6).all()
    if room >= (len(wanted) - 1) * size:
        assert moved.min() >= low - 1e-6
        assert moved.max() <= low + room + 1e-6


def test_what_has_room_stays_where_it_is():
    assert spread([1, 5, 3], 1, 0, 9).tolist() == [1, 5, 3]


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("ends", [[1, 2, 3], [5, 5, 5, 5, 5, 5], [1, 1.001, 9, 9.001], [0.01, 0.0101, 3]])
def test_names_do_not_collide_and_stay_in_the_figure(ends, scale):
    ax, boxes = drawn(ends, scale=scale)
    page = ax.figure.bbox
    for i, a in enumerate(boxes):
        assert page.x0 <= a.x0 < a.x1 <= page.x1
        assert page.y0 <= a.y0 < a.y1 <= page.y1
        assert not any(a.overlaps(b) for b in boxes[i + 1 :])


def test_a_name_stands_right_of_its_lines_end():
    ax, boxes = drawn([1, 5, 9])
    for end, box in zip([1, 5, 9], boxes, strict=True):
        x, y = ax.transData.transform((2, end))
        assert 0 < box.x0 - x < 20
        assert box.y0 < y < box.y1


def test_only_a_name_far_from_its_end_has_a_leader():
    ax, _ = drawn([1, 5, 5.01, 5.02, 9])
    assert [text.arrow_patch.get_visible() for text in ax.texts] == [False, True, False, True, False]


def test_a_line_that_ends_early_is_led_to_the_column():
    figure, ax = plt.subplots(layout="constrained")
    ax.plot([0, 1], [0, 1], label="short")
    ax.plot([0, 9], [0, 9], label="long")
    ax.plot([0, 9, np.nan], [0, 3, np.nan], label="ends in NaN")
    draw.label_lines(ax)
    figure.canvas.draw()
    assert [text.arrow_patch.get_visible() for text in ax.texts] == [True, False, False]
    short, long, nan = words(ax)
    assert short.x0 >= long.x0 == nan.x0


def test_names_are_readable_and_the_legend_goes():
    _, ax = plt.subplots()
    for color in draw.PALETTE:
        ax.plot([0, 1], [0, 1], color=color, label=color)
    ax.legend()
    draw.label_lines(ax)
    assert ax.get_legend() is None
    assert min(draw.contrast(text.get_color(), "white") for text in ax.texts) >= 4.5


def test_names_can_be_given():
    _, ax = plt.subplots()
    ax.plot(np.eye(3))
    assert [text.get_text() for text in draw.label_lines(ax, ["a", None, "c"]).texts] == ["a", "c"]


def test_seaborns_lines_have_their_names():
    import seaborn as sns

    data = {"x": [0, 1, 0, 1], "y": [1, 2, 3, 4], "net": ["plain", "plain", "residual", "residual"]}
    ax = draw.label_lines(sns.lineplot(data, x="x", y="y", hue="net"))
    assert {text.get_text(): text.xy[1] for text in ax.texts} == {"plain": 2, "residual": 4}


def test_lines_without_names_are_refused():
    _, ax = plt.subplots()
    ax.plot([0, 1])
    with pytest.raises(ValueError, match="lines with labels; got none. Plot each with ax.plot"):
        draw.label_lines(ax)
    with pytest.raises(ValueError, match="one name for each of 1 lines; got 2"):
        draw.label_lines(ax, ["a", "b"])
