"""The transposed convolution: torch's numbers, its sizes, and its errors."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvlab.convolutions.layers import conv2d
from cvlab.segmentation.transposed import conv_transpose2d, transposed_size

SETTINGS = [
    (size, kernel, stride, padding, extra)
    for size, kernel, stride, padding in itertools.product((1, 2, 5), range(1, 5), range(1, 4), range(3))
    for extra in range(stride)
    if (size - 1) * stride + kernel > 2 * padding
]


def test_sizes_are_torchs():
    for size, kernel, stride, padding, extra in SETTINGS:
        grown = F.conv_transpose2d(
            torch.ones(1, 1, size, 1),
            torch.ones(1, 1, kernel, 1),
            None,
            (stride, 1),
            (padding, 0),
            (extra, 0),
        )
        assert grown.shape[2] == transposed_size(size, kernel, stride, padding, extra)
    assert len(SETTINGS) > 150


def test_numbers_are_torchs():
    rng = np.random.default_rng(0)
    for size, kernel, stride, padding, extra in SETTINGS:
        if extra == 0:
            x, weight = rng.normal(size=(3, size, size + 1)), rng.normal(size=(3, 2, kernel, kernel))
            wanted = F.conv_transpose2d(
                torch.from_numpy(x)[None], torch.from_numpy(weight), None, stride, padding
            )
            assert np.abs(conv_transpose2d(x, weight, stride, padding) - wanted[0].numpy()).max() < 1e-12


def test_it_is_the_adjoint_of_the_convolution():
    """<conv(a), b> = <a, transposed(b)> for every a and b: that is what a transpose is."""
    rng = np.random.default_rng(1)
    a, weight = rng.normal(size=(2, 7, 9)), rng.normal(size=(3, 2, 3, 3))
    shrunk = conv2d(a[None], weight, stride=2, padding=1)[0]  # (3, 4, 5)
    b = rng.normal(size=shrunk.shape)
    grown = conv_transpose2d(b, weight, stride=2, padding=1)
    assert grown.shape == a.shape
    assert (shrunk * b).sum() == pytest.approx((a * grown).sum())


@pytest.mark.parametrize(
    ("x", "weight", "how", "message"),
    [
        ((3, 4), (3, 1, 2, 2), {}, r"x must have shape \(C_in, H, W\).*One channel\? Pass x\[None\]"),
        ((1, 3, 4, 4), (3, 1, 2, 2), {}, r"A batch\? Take one: x\[0\]"),
        ((3, 4, 4), (3, 2, 2), {}, r"weight must have shape \(C_in, C_out, kh, kw\)"),
        (
            (3, 4, 4),
            (1, 3, 2, 2),
            {},
            r"got 3 and 1\. A convolution's kernels.*weight\.transpose\(1, 0, 2, 3\)",
        ),
        ((3, 4, 4), (2, 1, 2, 2), {}, "same input channels; got 3 and 2$"),
        ((1, 2, 2), (1, 1, 2, 2), {"padding": 2}, "padding must leave something of the 3 cells.*got 2"),
        ((1, 2, 2), (1, 1, 2, 2), {"stride": 0}, "stride must be at least 1; got 0"),
    ],
)
def test_bad_input(x, weight, how, message):
    with pytest.raises(ValueError, match=message):
        conv_transpose2d(np.ones(x), np.ones(weight), **how)


def test_output_padding_beyond_the_stride_is_refused():
    with pytest.raises(ValueError, match="output_padding must be smaller than stride, 2.*got 2"):
        transposed_size(4, 3, stride=2, output_padding=2)
