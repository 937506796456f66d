"""Masks and run lengths: there and back, and the same text as pycocotools writes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as library

from cvlab.coco import rle

MASK = arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.booleans())
SPARSE = st.integers(0, 2**32).map(lambda s: np.random.default_rng(s).random((90, 110)) < 10.0 ** -(s % 5))


@given(st.one_of(MASK, SPARSE))
def test_masks_come_back_and_the_text_is_pycocotools(mask):
    ours = rle.mask_to_rle(mask)
    theirs = library.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    np.testing.assert_array_equal(rle.rle_to_mask(ours), mask)
    np.testing.assert_array_equal(rle.rle_to_mask(ours | {"counts": rle.run_lengths(ours).tolist()}), mask)
    np.testing.assert_array_equal(rle.rle_to_mask(theirs), mask)
    assert rle.run_lengths(ours)[1::2].sum() == rle.mask_area(ours, *mask.shape) == mask.sum()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_counts_come_back(counts):
    assert rle.text_to_counts(rle.counts_to_text(counts)).tolist() == counts


def test_polygons_are_drawn():
    mask = rle.segmentation_to_mask([[2, 2, 8, 2, 8, 6, 2, 6]], 10, 12)
    assert mask.shape == (10, 12)
    assert mask.sum() == 24


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rle.mask_to_rle(np.zeros((2, 2))), r"mask must be bool of shape \(H, W\); got float64 \(2, 2\). mask > 0"),
        (lambda: rle.mask_to_rle(np.zeros((1, 2, 2), bool)), "One mask at a time"),
        (lambda: rle.rle_to_mask({"size": [2, 2]}), "rle must be a dict with size and counts"),
        (lambda: rle.rle_to_mask({"size": [2, 2], "counts": [1, 2]}), "counts must add up to 2 x 2 = 4; got 3"),
        (lambda: rle.rle_to_mask({"size": [2, 2], "counts": "1o"}), r"counts must be text written by COCO's RLE; .*Cut short\?"),
        (lambda: rle.segmentation_to_mask({"size": [2, 2], "counts": "13"}, 3, 2), r"size must be that of the picture, \[3, 2\]; got \[2, 2\]"),
        (lambda: rle.segmentation_to_mask([], 3, 2), "segmentation must be run lengths or a list of polygons"),
        (lambda: rle.segmentation_to_mask([[1, 2, 3]], 3, 2), r"polygon 0 must be a list of x, y pairs, at least three; got \[1, 2, 3\]"),
    ],
)  # fmt: skip
def test_wrong_runs_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
