"""Max-unpooling by hand against torch, with windows that stand apart and windows that overlap."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cvlab.segmentation.unpooling import max_unpool2d


@given(st.integers(1, 3), st.integers(3, 8), st.integers(3, 8), st.sampled_from([(2, 2), (3, 2), (2, 1)]))
@settings(deadline=None, max_examples=60)
def test_it_is_torchs(C, height, width, window):
    maps = torch.from_numpy(np.random.default_rng(height * width).normal(size=(C, height, width)))
    size, stride = window
    values, indices = F.max_pool2d(maps, size, stride, return_indices=True)
    theirs = nn.MaxUnpool2d(size, stride)(values, indices, output_size=(height, width))
    ours = max_unpool2d(values.numpy(), indices.numpy(), height, width)
    assert np.array_equal(ours, theirs.numpy())
    kept = ours != 0
    assert np.array_equal(ours[kept], maps.numpy()[kept])


def test_it_keeps_the_dtype_and_what_it_is_given():
    values, indices = np.uint8([[[7, 8]]]), np.array([[[5, 2]]])
    grown = max_unpool2d(values, indices, 2, 4)
    assert grown.dtype == np.uint8
    assert (values.tolist(), indices.tolist()) == ([[[7, 8]]], [[[5, 2]]])


@pytest.mark.parametrize(
    ("values", "indices", "error", "said"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), int), ValueError, r"values\[None\] adds the axis"),
        (np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 2), int), ValueError, r"values\[0\]"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), TypeError, "Values and indices exchanged"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 3), int), ValueError, "must have the same shape"),
        (np.zeros((1, 1, 1)), np.full((1, 1, 1), 16), ValueError, "from 0 to 15.*got 16"),
        (np.zeros((1, 1, 1)), np.full((1, 1, 1), -1), ValueError, "got -1"),
    ],
)
def test_bad_input_is_named(values, indices, error, said):
    with pytest.raises(error, match=said):
        max_unpool2d(values, indices, 4, 4)
