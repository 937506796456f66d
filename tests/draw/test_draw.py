"""Drawing: what is on the Axes, that inputs stay as they were, and what bad input is told."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvlab import draw
from cvlab.draw.display import alt_text, encoded
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


def test_boxes_lie_on_pixel_borders_with_their_words():
    draw.show(np.zeros((20, 20)))
    ax = draw.draw_boxes([[0, 0, 1, 1], [2, 3, 12, 8]], labels=["cat", "dog"], scores=[0.9, 0.25])
    assert [p.get_bbox().bounds for p in ax.patches[::2]] == [(-0.5, -0.5, 1, 1), (1.5, 2.5, 10, 5)]
    assert [t.get_text() for t in ax.texts] == ["cat 90 %", "dog 25 %"]
    assert len(draw.draw_boxes([]).patches) == len(ax.patches)


def test_equal_labels_get_equal_colours():
    draw.show(np.zeros((20, 20)))
    ax = draw.draw_boxes(np.tile([[1, 1, 5, 5]], (3, 1)), labels=["cat", "dog", "cat"])
    first, second, third = (p.get_edgecolor() for p in ax.patches[1::2])
    assert first == third != second


def test_masks_colour_only_their_pixels():
    mask = np.zeros((2, 8, 8), bool)
    mask[0, 2:4, 2:4] = True  # the second mask is empty: nothing to draw
    draw.show(np.zeros((8, 8)))
    ax = draw.draw_masks(mask, labels=["a", "b"])
    assert np.array_equal(ax.images[1].get_array()[..., 3] > 0, mask[0])
    assert [t.get_text() for t in ax.texts] == ["a"]


def linear(srgb):
    """Undo sRGB's curve, as WCAG's contrast ratio wants."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_theme_text_can_be_read_on_its_paper():
    with draw.themed():
        ink, paper = (mpl.colors.to_rgb(plt.rcParams[k]) for k in ("text.color", "figure.facecolor"))
    light = [float(np.dot([0.2126, 0.7152, 0.0722], linear(np.array(colour)))) for colour in (ink, paper)]
    assert (max(light) + 0.05) / (min(light) + 0.05) > 7


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


def test_alt_text_is_made_of_titles_and_labels():
    figure, (one, two) = plt.subplots(1, 2)
    figure.suptitle("Both")
    one.set(title="A line", xlabel="seconds", ylabel="loss")
    assert alt_text(figure) == "Both; A line (loss against seconds)"
    assert alt_text(plt.figure()) == "Figure with 0 panels"


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


def test_figures_full_of_photos_become_jpeg_and_others_stay_png():
    """A drawing with few colours would only get larger and blurred."""
    noise = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    photo = np.asarray(Image.fromarray(noise).resize((600, 400), Image.Resampling.BICUBIC))
    kinds = [encoded(draw.show(image, title="a title").figure)[0] for image in (photo, np.eye(8))]
    assert kinds == ["image/jpeg", "image/png"]
