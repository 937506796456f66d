"""Drawing: what is on the Axes, that inputs stay as they were, and what bad input is told."""

import itertools

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab import draw
from cvlab.draw import style
from cvlab.draw.figure import WIDTH, columns

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def close():
    draw.theme("off")
    before = mpl.rcParams.copy()
    draw.theme()
    yield
    plt.close("all")
    draw.theme("off")
    mpl.rcParams.update(before)


@pytest.mark.parametrize(
    "image",
    [
        RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8),
        RNG.integers(0, 256, (5, 6, 4), dtype=np.uint8),
        RNG.random((5, 6, 3)),
        RNG.random((5, 6)) - 3,
        RNG.random((5, 6)) > 0.5,
        RNG.integers(0, 9, (5, 6, 1)),
        np.zeros((1, 1), np.uint8),
        np.full((3, 3), 7),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
@pytest.mark.parametrize("numbers", [False, True])
def test_show_draws_it_and_leaves_it_alone(image, numbers):
    before = image.copy()
    ax = draw.show(image, title="a title", numbers=numbers)
    assert ax.get_title("left") == "a title"
    assert np.array_equal(np.asarray(ax.images[0].get_array()).squeeze(), image.squeeze())
    assert len(ax.texts) == (image.shape[0] * image.shape[1] if numbers else 0)
    assert np.array_equal(image, before)


def test_numbers_are_the_pixels_own():
    ax = draw.show(np.array([[1, 200], [30, 4]], np.uint8), numbers=True)
    assert {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in ax.texts} == {
        (0, 0): "1",
        (1, 0): "200",
        (0, 1): "30",
        (1, 1): "4",
    }


def test_limits_are_explicit():
    assert draw.show(np.full((2, 2), 9, np.uint8)).images[0].get_clim() == (0, 255)
    assert draw.show(np.full((2, 2), 0.5)).images[0].get_clim() == (0, 1)
    assert draw.show(np.array([[-3.0, 1]]), signed=True).images[0].get_clim() == (-3, 3)
    assert draw.show(np.zeros((2, 2)), signed=True).images[0].get_clim() == (-1, 1)
    assert draw.show(np.array([[-3.0, 1]]), limits=(-9, 9)).images[0].get_clim() == (-9, 9)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 13), st.integers(1, 6))
def test_show_many_holds_every_picture(count, cols):
    images = [np.full((4, 7), i, np.uint8) for i in range(count)]
    axes = draw.show_many(images, cols=cols)
    assert [int(ax.images[0].get_array()[0, 0]) for ax in axes] == list(range(count))
    assert axes[0].figure.get_figwidth() <= WIDTH
    assert len(axes[0].figure.axes) == count
    plt.close("all")


@given(st.integers(1, 60))
def test_columns_are_at_most_four(count):
    assert 1 <= columns(count) <= 4


def test_theme_text_can_be_read_on_its_paper():
    ink, paper = (plt.rcParams[key] for key in ("text.color", "figure.facecolor"))
    assert draw.contrast(ink, paper) > 7


def test_no_type_is_smaller_than_ten_points():
    sizes = {
        key: plt.rcParams[key] for key in plt.rcParams if key.endswith(("labelsize", "titlesize", "fontsize"))
    }
    assert {key: size for key, size in sizes.items() if isinstance(size, float) and size < 10} == {}


def test_drawing_themes_by_itself_unless_told_not_to(monkeypatch):
    monkeypatch.setattr(style, "_chosen", [])
    plt.rcParams["axes.titlesize"] = 8
    draw.show(np.eye(3))
    assert plt.rcParams["axes.titlesize"] == 13
    draw.theme("off")
    draw.show(np.eye(3))
    assert plt.rcParams["axes.titlesize"] != 13


@pytest.mark.parametrize(
    "shape",
    [(3, 3), (8, 8), (24, 24), (4, 5, 3), (12, 12, 3), (1, 24)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_numbers_fit_their_pixels_in_ten_points(shape):
    ax = draw.show(np.full(shape, 255, np.uint8), numbers=True)
    ax.figure.canvas.draw()
    (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width < x1 - x0
        assert box.height < abs(y1 - y0)
        assert text.get_size() >= 9.5


def test_tick_labels_of_small_panels_do_not_collide():
    ax = draw.show_many([np.zeros((12, 12))] * 8, cols=8)[0]
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert len(boxes) >= 2
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_pictures_of_one_row_are_equally_tall_and_fill_it():
    axes = draw.show_many([np.zeros((300, 450)), np.zeros((400, 400))], titles=["one", "a name " * 9])
    axes[0].figure.canvas.draw()
    tall = [ax.get_window_extent().height for ax in axes]
    assert tall[0] == pytest.approx(tall[1], rel=0.02)
    names = [ax.title.get_text() or ax._left_title.get_text() for ax in axes]
    assert names[0] == "one"
    assert "\n" in names[1]


def test_a_theme_can_be_taken_off_again():
    draw.theme("off")
    before = dict(plt.rcParams)
    draw.theme()
    draw.theme("light")
    assert plt.rcParams["axes.titlesize"] == 13
    draw.theme("off")
    assert dict(plt.rcParams) == before
    draw.theme("off")  # nothing to take off
    assert dict(plt.rcParams) == before


def test_settings_after_a_themed_block_are_those_before_it_also_after_an_error():
    def broken():
        with draw.themed():
            raise KeyError(plt.rcParams["text.color"])

    before = dict(plt.rcParams)
    with pytest.raises(KeyError, match="#1f2328"):
        broken()
    assert dict(plt.rcParams) == before


NAN = np.array([[0.0, np.nan]])
MESSAGES = [
    (lambda: draw.show("cat.png"), "Load it first"),
    (lambda: draw.show(torch.zeros(3, 4, 5)), r"got a torch tensor of shape \(3, 4, 5\). tensor.permute"),
    (lambda: draw.show(np.zeros((4, 5, 3)) - 1), "Normalised\\? denormalize it first"),
    (lambda: draw.show(NAN), "image must be finite; got 1 values NaN"),
    (lambda: draw.show(np.zeros((4, 5, 2))), r"must have shape \(H, W\) or"),
    (lambda: draw.show(np.zeros((4, 5, 3)), signed=True), r"signed=True draws a \(H, W\) map"),
    (lambda: draw.show(np.zeros((30, 30)), numbers=True), "Crop a piece"),
    (lambda: draw.show(np.zeros((3, 3)), limits=(1, 1)), "limits must be"),
    (lambda: draw.show_many([]), "at least one picture"),
    (lambda: draw.show_many([np.zeros((2, 2)), "x"]), r"images\[1\] must be an array"),
    (
        lambda: draw.show_many([np.zeros((2, 2))], titles=["a", "b"]),
        "one text for each of the 1 images; got 2",
    ),
    (lambda: draw.show_many([np.zeros((2, 2))], cols=0), "cols must be at least 1"),
    (lambda: draw.draw_boxes([1, 2, 3, 4]), r"One box\? Pass \[boxes\]"),
    (lambda: draw.draw_boxes([[5, 5, 2, 2]]), r"As x, y, w, h\? boxes.xywh_to_xyxy"),
    (lambda: draw.draw_boxes([[1, 2, 3, 4]], labels=["a", "b"]), "labels must hold one value for each of 1"),
    (lambda: draw.draw_masks(np.zeros((4, 4), bool)), r"One mask\? Pass mask\[None\]"),
    (lambda: draw.draw_masks(np.zeros((1, 4, 4))), "masks must be bool"),
    (lambda: draw.theme("dusk"), "name must be one of 'light', 'off'; got 'dusk'"),
]


@pytest.mark.parametrize(("call", "text"), MESSAGES)
def test_bad_input_gets_a_clear_error(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()
