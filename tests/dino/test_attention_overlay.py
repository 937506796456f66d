"""Several heads as colours over a grey picture."""

import numpy as np
import pytest

from cvlab.dino.overlay import attention_overlay

RED, BLUE = [1.0, 0, 0], [0, 0, 1.0]
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
EVEN, COLORS = np.full((2, 9), 1 / 9), np.array([RED, BLUE])


def test_where_nobody_looks_the_picture_is_grey():
    attention = np.zeros((1, 9))
    attention[0, 4] = 1
    out = attention_overlay(IMAGE, attention, COLORS[:1], veil=1.0)
    assert np.allclose(out[4:8, 4:8], RED)
    outside = np.ones((12, 12), bool)
    outside[4:8, 4:8] = False
    assert np.allclose(out[outside], IMAGE[outside].mean(-1, keepdims=True) / 255)


def test_heads_that_agree_are_mixed_and_their_order_makes_no_difference():
    assert np.allclose(attention_overlay(IMAGE, EVEN, COLORS, veil=1.0), [0.5, 0, 0.5])
    attention = np.random.default_rng(1).dirichlet(np.ones(9), 2)
    both = [attention_overlay(IMAGE, attention[order], COLORS[order]) for order in ([0, 1], [1, 0])]
    assert np.allclose(*both)


def test_values_stay_colours_and_nothing_is_written_into():
    image, attention = IMAGE.copy(), np.random.default_rng(2).dirichlet(np.full(9, 0.1), 2)
    out = attention_overlay(image, attention, COLORS)
    assert 0 <= out.min() <= out.max() <= 1
    assert np.array_equal(image, IMAGE)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image": IMAGE / 255}, r"image must be uint8.*\(255 \* image\)"),
        ({"image": IMAGE[..., 0]}, "image must have shape"),
        (
            {"image": np.zeros((10, 10, 3), np.uint8)},
            r"a multiple of the 3 places a side; got \(10, 10, 3\). Another picture's",
        ),
        ({"image": np.zeros((12, 9, 3), np.uint8)}, "image must be square"),
        (
            {"attention": np.full((2, 10), 0.1)},
            r"a square number of places; got 10. With the class token\? Leave it out",
        ),
        ({"attention": np.full((2, 7), 0.1)}, "a square number of places; got 7$"),
        (
            {"attention": EVEN[0]},
            r"shape \(heads, P\), one row a head; got \(9,\). One head\? attention\[None\]",
        ),
        ({"attention": EVEN * np.nan}, "18 of 18 are NaN"),
        ({"attention": EVEN - 1}, "must be 0 or more"),
        ({"attention": EVEN * [[1], [0]]}, "above 0 somewhere in each row"),
        ({"colors": COLORS[:1]}, "one colour for each of the 2 heads; got 1"),
        ({"colors": COLORS * 255}, r"In bytes\? Divide by 255"),
        ({"colors": COLORS[0]}, r"colors must have shape \(heads, 3\)"),
    ],
)
def test_bad_input_is_named(changed, words):
    with pytest.raises(ValueError, match=words):
        attention_overlay(**{"image": IMAGE, "attention": EVEN, "colors": COLORS} | changed)
