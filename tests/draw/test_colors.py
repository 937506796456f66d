"""The palette: readable text, told apart by the colour-blind, one colour a class."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

from cvlab import draw
from cvlab.draw.colors import ink
from cvlab.world.stickers import CIFAR10, COCO_VOC, classes

# Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision deficiency, 2009:
# severity 1, on linear RGB.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


def seen(color: str, eye: str) -> np.ndarray:
    """Return a colour as CIELAB, as that eye sees it."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(SEEN[eye]) @ linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


def nearest_two(colors, eye: str) -> tuple[float, tuple[str, str]]:
    """Return the least difference between two of the colours (CIEDE2000: 2 is just seen), and which they are."""
    pairs = combinations(sorted(set(colors)), 2)
    return min((float(deltaE_ciede2000(seen(a, eye), seen(b, eye))), (a, b)) for a, b in pairs)


@pytest.mark.parametrize("eye", SEEN)
def test_the_six_hues_are_told_apart(eye):
    assert nearest_two(draw.PALETTE, eye)[0] > 12


@pytest.mark.parametrize("eye", SEEN)
def test_truth_prediction_and_error_are_far_apart(eye):
    assert nearest_two((draw.TRUTH, draw.PREDICTION, draw.ERROR), eye)[0] > 18


@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize("names", [CIFAR10, COCO_VOC], ids=["CIFAR-10", "COCO and VOC"])
def test_classes_of_one_picture_have_colours_of_their_own(names, eye):
    colors = [draw.class_color(name) for name in names]
    assert len(set(colors)) == len(names)
    assert nearest_two(colors, eye)[0] > 5


def test_a_class_has_one_colour_whatever_it_is_called():
    assert draw.class_color("car") == draw.class_color("Automobile ") == draw.class_color("automobile")
    assert draw.class_color("boat") == draw.class_color("ship")
    assert draw.class_color("truth") == draw.TRUTH.lower()
    assert draw.class_color("prediction") == draw.PREDICTION.lower()
    assert draw.class_color("error") == draw.ERROR.lower()


def test_other_words_have_a_colour_that_stays():
    """From the letters alone: not from Python's hash, which differs in every process."""
    assert [draw.class_color(word) for word in ("apple", "zebra")] == ["#735000", "#663c54"]
    many = {draw.class_color(f"word {i}") for i in range(200)}
    assert len(many) == 17
    assert many == {draw.class_color(name) for name in classes()}


@pytest.mark.parametrize("paper", ["white", "black", "#f6f8fa", "#0072B2"])
def test_readable_text_has_the_contrast_of_wcag(paper):
    for color in (*draw.PALETTE, *map(draw.class_color, classes()), "white", "black", "0.5"):
        assert draw.contrast(draw.readable(color, paper), paper) >= 4.5


def test_what_can_be_read_already_is_left_alone():
    assert draw.readable("#0072B2") == "#0072b2"
    assert draw.readable("#F0E442", "black") == "#f0e442"


def test_contrast_is_that_of_wcag():
    assert draw.contrast("black", "white") == pytest.approx(21)
    assert draw.contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)
    assert draw.contrast("white", "#777777") == draw.contrast("#777777", "white")


def test_ink_on_any_class_is_readable():
    assert min(draw.contrast(ink(c), c) for c in map(draw.class_color, classes())) > 4.5
