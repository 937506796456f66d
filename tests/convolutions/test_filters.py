"""Filters by hand against NumPy, SciPy, OpenCV and torch; what holds for every signal, picture and kernel."""

import cv2
import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvlab.convolutions import fast_filters, filters

CLOSE = 1e-10  # in float64
SEEDS = st.integers(0, 2**32 - 1)
OPENCV = {"constant": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}


@st.composite
def picture_and_kernel(draw, *, odd=False):
    rng = np.random.default_rng(draw(SEEDS))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    sides = [draw(st.integers(1, n)) for n in (height, width)]
    if odd:
        sides = [side - (side + 1) % 2 for side in sides]
    return rng.normal(size=(height, width)), rng.normal(size=sides)


def gap(a, b) -> float:
    """The largest difference of two arrays of one shape."""
    assert np.shape(a) == np.shape(b)
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


@given(st.integers(1, 30), st.integers(1, 30), SEEDS)
def test_correlate1d_is_numpys_and_torchs(length, size, seed):
    rng = np.random.default_rng(seed)
    signal, kernel = rng.normal(size=max(length, size)), rng.normal(size=size)
    ours = filters.correlate1d(signal, kernel)
    assert gap(ours, np.correlate(signal, kernel, "valid")) < CLOSE
    both = [torch.from_numpy(v)[None, None] for v in (signal, kernel)]
    assert gap(ours, torch.nn.functional.conv1d(*both)[0, 0]) < CLOSE


@given(st.integers(1, 30), st.integers(0, 7), SEEDS)
def test_moving_average_is_a_correlation_with_equal_weights(length, half, seed):
    signal, width = (
        np.random.default_rng(seed).normal(size=length),
        min(2 * half + 1, length - 1 + length % 2),
    )
    ours = filters.moving_average(signal, width)
    assert gap(ours, np.convolve(signal, np.full(width, 1 / width), mode="same")) < CLOSE
    assert ours.shape == signal.shape


def test_moving_average_does_not_overflow():
    assert filters.moving_average(np.full(5, 200, np.uint8), 3).tolist() == pytest.approx(
        [400 / 3, 200, 200, 200, 400 / 3]
    )


@given(picture_and_kernel())
def test_correlate2d_is_scipys_and_torchs(both):
    image, kernel = both
    ours = filters.correlate2d(image, kernel)
    assert gap(ours, scipy.signal.correlate2d(image, kernel, "valid")) < CLOSE
    theirs = torch.nn.functional.conv2d(*(torch.from_numpy(v)[None, None] for v in both))
    assert gap(ours, theirs[0, 0]) < CLOSE


@given(picture_and_kernel())
def test_convolve2d_is_scipys(both):
    assert gap(filters.convolve2d(*both), scipy.signal.convolve2d(*both, "valid")) < CLOSE


@given(picture_and_kernel(odd=True), st.sampled_from(sorted(OPENCV)))
def test_filter2d_is_opencvs_at_every_border(both, border):
    image, kernel = both
    if border == "reflect" and min(image.shape) == 1:
        return  # nothing to reflect: libraries differ
    theirs = cv2.filter2D(image, cv2.CV_64F, kernel, borderType=OPENCV[border])
    assert gap(filters.filter2d(image, kernel, border), theirs) < CLOSE


@given(picture_and_kernel(odd=True))
def test_filter2d_wraps_like_scipy(both):
    image, kernel = both
    theirs = scipy.signal.correlate2d(image, kernel, "same", boundary="wrap")
    assert gap(filters.filter2d(image, kernel, "wrap"), theirs) < CLOSE


@given(picture_and_kernel(), st.floats(-3, 3), st.floats(-3, 3), SEEDS)
def test_linear_in_picture_and_kernel(both, a, b, seed):
    image, kernel = both
    other = np.random.default_rng(seed).normal(size=image.shape)
    mixed = filters.correlate2d(a * image + b * other, kernel)
    parts = a * filters.correlate2d(image, kernel) + b * filters.correlate2d(other, kernel)
    assert gap(mixed, parts) < CLOSE


@given(picture_and_kernel(odd=True), st.integers(-5, 5), st.integers(-5, 5))
def test_shift_equivariant_where_the_border_wraps(both, down, right):
    image, kernel = both
    before = np.roll(filters.filter2d(image, kernel, "wrap"), (down, right), axis=(0, 1))
    after = filters.filter2d(np.roll(image, (down, right), axis=(0, 1)), kernel, "wrap")
    assert gap(before, after) < CLOSE


def test_integers_do_not_overflow_and_inputs_stay():
    image, kernel = np.full((4, 4), 200, np.uint8), np.full((3, 3), 2, np.uint8)
    assert filters.correlate2d(image, kernel).tolist() == [[3600, 3600], [3600, 3600]]
    assert (image == 200).all()
    assert kernel.dtype == np.uint8


FAST = [fast_filters.correlate2d_shifted, fast_filters.correlate2d_matrix, fast_filters.correlate2d_fft]


@pytest.mark.parametrize("fast", FAST, ids=lambda f: f.__name__)
@given(both=picture_and_kernel())
def test_fast_filters_give_the_loops_numbers(fast, both):
    assert gap(fast(*both), filters.correlate2d(*both)) < CLOSE


@given(st.integers(1, 6), st.integers(1, 6), SEEDS)
def test_separable_filter_and_its_split(height, width, seed):
    rng = np.random.default_rng(seed)
    image, column, row = rng.normal(size=(8, 9)), rng.normal(size=height), rng.normal(size=width)
    kernel = np.outer(column, row)
    expected = filters.correlate2d(image, kernel)
    assert gap(fast_filters.correlate2d_separable(image, column, row), expected) < CLOSE
    assert gap(np.outer(*filters.separate(kernel)), kernel) < CLOSE


@pytest.mark.parametrize("name", sorted(filters.KERNELS))
def test_named_kernels_do_what_their_name_says(name):
    kernel = filters.KERNELS[name]
    flat = filters.correlate2d(np.full((5, 5), 7.0), kernel)
    keeps = 0 if "edges" in name else 7
    assert gap(flat, np.full((3, 3), float(keeps))) < CLOSE


def test_edge_kernels_answer_to_their_own_direction_only():
    step = np.tile([0.0, 0, 0, 1, 1, 1], (6, 1))  # dark left, bright right
    assert filters.correlate2d(step, filters.KERNELS["vertical edges"]).max() == 4
    assert not filters.correlate2d(step, filters.KERNELS["horizontal edges"]).any()
    assert filters.correlate2d(step.T, filters.KERNELS["horizontal edges"]).max() == 4


SMALL, LARGE = np.ones((3, 4)), np.ones((5, 2))
BAD = [
    (lambda: filters.correlate2d(SMALL, LARGE), r"kernel must fit into image, 3 x 4; got 5 x 2. Pad image first\?"),
    (lambda: filters.convolve2d(SMALL, LARGE), r"kernel must fit into image, 3 x 4; got 5 x 2"),
    (lambda: filters.correlate1d(np.ones(2), np.ones(3)), r"kernel must fit into signal, 2; got 3"),
    (lambda: filters.correlate2d(np.ones((3, 3, 3)), SMALL), r"image must have shape \(H, W\); got \(3, 3, 3\). A colour"),
    (lambda: filters.correlate2d(np.ones((0, 3)), SMALL), r"image must hold at least one number; got shape \(0, 3\)"),
    (lambda: filters.correlate2d(SMALL, np.ones((0, 0))), r"kernel must hold at least one number; got shape \(0, 0\)"),
    (lambda: filters.correlate2d(np.full((3, 3), np.nan), SMALL), r"image must be finite; got 9 NaN or infinite"),
    (lambda: filters.correlate1d(SMALL, np.ones(1)), r"signal must have shape \(N,\); got \(3, 4\)"),
    (lambda: filters.filter2d(np.ones((9, 9)), np.ones((4, 4))), r"odd sides .* got 4 x 4: 3 extra cells cannot be shared"),
    (lambda: filters.filter2d(SMALL, np.ones((5, 5))), r"kernel must fit into image, 3 x 4; got 5 x 5"),
    (lambda: filters.filter2d(SMALL, np.ones((3, 3)), "mirror"), r"border must be one of 'constant', .*; got 'mirror'"),
    (lambda: filters.moving_average(np.ones(9), 4), r"width must be odd, .*; got 4. Try 3 or 5"),
    (lambda: filters.moving_average(np.ones(3), 5), r"width must be at most 3, the length of signal; got 5"),
    (lambda: filters.moving_average(np.ones(3), 0), r"width must be at least 1; got 0"),
    (lambda: filters.separate(np.eye(3)), r"one column times one row, rank 1; got rank 3"),
    (lambda: fast_filters.correlate2d_shifted(SMALL, LARGE), r"kernel must fit into image, 3 x 4; got 5 x 2"),
    (lambda: fast_filters.correlate2d_matrix(SMALL, LARGE), r"kernel must fit into image, 3 x 4; got 5 x 2"),
    (lambda: fast_filters.correlate2d_fft(SMALL, LARGE), r"kernel must fit into image, 3 x 4; got 5 x 2"),
    (lambda: fast_filters.correlate2d_separable(SMALL, np.ones(5), np.ones(2)), r"kernel must fit into image, 3 x 4; got 5 x 2"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_names_what_disagrees(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", ["chelsea", None, [[1, 2], [3]], [["a"]]])
def test_what_is_not_numbers_is_refused(value):
    with pytest.raises(TypeError, match="image must be an array"):
        filters.correlate2d(value, SMALL)
    with pytest.raises(TypeError, match="kernel must be an array"):
        filters.filter2d(SMALL, value)
