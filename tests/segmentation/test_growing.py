"""Growing by hand against torch, for every mode, both conventions, and sizes up and down."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.segmentation import growing

CLOSE = 1e-9
SIDES = st.integers(1, 12)
HOW = [("nearest", None), ("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True)]


def torchs(image, height, width, mode, align_corners):
    grown = F.interpolate(
        torch.from_numpy(image)[None, None], (height, width), mode=mode, align_corners=align_corners
    )
    return grown[0, 0].numpy()


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(HOW), st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_every_mode_is_torchs(H, W, height, width, how, seed):
    image = np.random.default_rng(seed).normal(size=(H, W))
    mode, align_corners = how
    ours = growing.interpolate(image, height, width, mode, bool(align_corners))
    theirs = torchs(image, height, width, mode, align_corners)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < CLOSE
    if mode == "bilinear":
        assert np.abs(growing.upsample_bilinear(image, height, width, align_corners) - theirs).max() < CLOSE


def on_a_border(old, new):
    """Some new centre falls exactly between two old pixels, where torch's 32-bit scale may take either."""
    return any((2 * i + 1) * old % (2 * new) == 0 for i in range(new))


@given(SIDES, SIDES, st.integers(0, 99))
@settings(deadline=None)
def test_nearest_exact_is_torchs_but_for_ties(old, new, seed):
    image = np.random.default_rng(seed).normal(size=(old, 1))
    ours = growing.interpolate(image, new, 1, "nearest-exact")
    if not on_a_border(old, new):
        assert np.array_equal(ours, torchs(image, new, 1, "nearest-exact", None))


@pytest.mark.parametrize(("mode", "align_corners"), HOW)
def test_the_weights_of_a_pixel_sum_to_one(mode, align_corners):
    for old, new in ((1, 5), (5, 1), (4, 9), (9, 4)):
        weights = growing.axis_weights(old, new, mode, bool(align_corners))
        assert weights.shape == (new, old)
        assert np.allclose(weights.sum(axis=1), 1)


def test_bilinear_stays_in_the_range_and_bicubic_does_not():
    step = np.array([[0.0, 0, 1, 1]])
    assert growing.interpolate(step, 1, 16).max() == 1
    assert growing.interpolate(step, 1, 16, "bicubic").max() > 1.05


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: growing.interpolate(np.zeros((2, 3, 3)), 4, 4), ValueError, "Grow one at a time"),
        (lambda: growing.interpolate(np.zeros((0, 3)), 4, 4), ValueError, "at least one pixel"),
        (lambda: growing.interpolate(np.zeros((2, 2)), 4, 4, "bilinaer"), ValueError, "mean 'bilinear'"),
        (lambda: growing.interpolate(np.zeros((2, 2)), 4, 4, "nearest", True), ValueError, "must be False"),
        (lambda: growing.axis_weights(2, 0, "bilinear"), ValueError, "new must be at least 1"),
        (lambda: growing.upsample_bilinear(np.zeros((2, 2)), 4.0, 4), TypeError, "whole number"),
        (lambda: growing.upsample_bilinear("cat.png", 4, 4), TypeError, "must be an array"),
    ],
)
def test_bad_input_is_named(call, error, said):
    with pytest.raises(error, match=said):
        call()
