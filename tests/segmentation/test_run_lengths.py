"""`rle_encode` and `rle_decode`: pycocotools' runs, there and back, and bad input by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as library

from cvlab.coco.rle import mask_to_rle, text_to_counts
from cvlab.segmentation.run_lengths import rle_decode, rle_encode

MASK = arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.booleans())


@given(MASK)
def test_the_library_writes_and_reads_the_same(mask):
    counts = rle_encode(mask)
    theirs = library.encode(np.asfortranarray(mask.astype(np.uint8)))
    packed = library.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)
    assert packed == theirs
    assert counts == text_to_counts(mask_to_rle(mask)["counts"]).tolist()
    back = rle_decode(counts, *mask.shape)
    assert (back.dtype, back.shape) == (bool, mask.shape)
    np.testing.assert_array_equal(back, library.decode(theirs) > 0)


def test_a_run_goes_on_in_the_next_column():
    assert rle_encode(np.array([[0, 1, 1], [0, 1, 0]]) > 0) == [2, 3, 1]
    assert rle_encode(np.ones((2, 2), bool)) == [0, 4]
    assert rle_encode(np.zeros((2, 2), bool)) == [4]


def test_the_counts_are_numbers_that_json_can_write():
    assert {type(count) for count in rle_encode(np.eye(4, dtype=bool))} == {int}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rle_encode(np.eye(2)), ValueError, r"mask must be bool of shape \(H, W\); got float64 \(2, 2\). mask > 0"),
        (lambda: rle_encode(np.zeros((1, 2, 2), bool)), ValueError, r"got bool \(1, 2, 2\). One mask at a time: mask\[0\]"),
        (lambda: rle_encode(np.zeros((0, 3), bool)), ValueError, r"mask must have at least one pixel; got shape \(0, 3\)"),
        (lambda: rle_decode([2, 3], 3, 4), ValueError, r"counts must add up to height x width, 3 x 4 = 12; got 5. The last run"),
        (lambda: rle_decode([], 3, 4), ValueError, "counts must be whole numbers"),
        (lambda: rle_decode([5, -1, 8], 3, 4), ValueError, r"counts must not be negative; got counts\[1\] = -1"),
        (lambda: rle_decode([[0, 5], [1, 7]], 3, 4), ValueError, "Pairs of value and length"),
        (lambda: rle_decode([5.0, 7.0], 3, 4), ValueError, r"counts must be whole numbers, \(R,\); got float64"),
        (lambda: rle_decode("341M10", 3, 4), TypeError, "counts must be a list of run lengths; got text. Packed"),
        (lambda: rle_decode([12], 0, 4), ValueError, "height must be at least 1; got 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
