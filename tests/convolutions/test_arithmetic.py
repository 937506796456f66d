"""Layers, their sizes, their pooling and their gradients against torch and finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cvlab.convolutions import arithmetic, filters, gradients, layers, pooling

CLOSE = 1e-10
SEEDS = st.integers(0, 2**32 - 1)
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
# Dumoulin and Visin, A guide to convolution arithmetic for deep learning: size, kernel, stride, padding, dilation, output.
GUIDE = {
    "no padding, unit strides": (4, 3, 1, 0, 1, 2),
    "arbitrary padding, unit strides": (5, 4, 1, 2, 1, 6),
    "half (same) padding, unit strides": (5, 3, 1, 1, 1, 5),
    "full padding, unit strides": (5, 3, 1, 2, 1, 7),
    "no padding, strides": (5, 3, 2, 0, 1, 2),
    "padding, strides": (5, 3, 2, 1, 1, 3),
    "padding, strides, a cell left over": (6, 3, 2, 1, 1, 3),
    "dilation": (7, 3, 1, 0, 2, 3),
}


@st.composite
def layer(draw):
    """A layer's input, weights, biases and how it steps; every number of rows differs from that of columns."""
    rng = np.random.default_rng(draw(SEEDS))
    B, C, K = (draw(st.integers(1, 3)) for _ in range(3))
    stride, dilation = draw(PAIRS), draw(PAIRS)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    kernel = draw(PAIRS)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    H, W = (
        draw(st.integers(max(1, r - 2 * p), max(1, r - 2 * p) + 6))
        for r, p in zip(reach, padding, strict=True)
    )
    images, weight = rng.normal(size=(B, C, H, W)), rng.normal(size=(K, C, *kernel))
    return images, weight, rng.normal(size=K), {"stride": stride, "padding": padding, "dilation": dilation}


def gap(ours, theirs) -> float:
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert np.shape(ours) == np.shape(theirs)
    return float(np.abs(ours - theirs).max())


def tensors(*arrays):
    return [torch.from_numpy(np.array(a)).requires_grad_() for a in arrays]


@given(layer())
@settings(deadline=None)
def test_both_layers_are_torchs(given_layer):
    images, weight, bias, how = given_layer
    theirs = F.conv2d(*tensors(images, weight, bias), **how)
    assert gap(layers.conv2d(images, weight, bias, **how), theirs) < CLOSE
    assert gap(layers.conv2d_matrix(images, weight, bias, **how), theirs) < CLOSE
    assert gap(layers.conv2d(images, weight, **how), theirs - torch.from_numpy(bias)[:, None, None]) < CLOSE


@given(layer())
@settings(deadline=None)
def test_im2col_is_unfold(given_layer):
    images, weight, _, how = given_layer
    theirs = F.unfold(torch.from_numpy(images), weight.shape[2:], **how)
    assert np.array_equal(layers.im2col(images, weight.shape[2:], **how), theirs.numpy())


@given(layer())
@settings(deadline=None)
def test_the_three_gradients_are_autograds(given_layer):
    images, weight, bias, how = given_layer
    parts = tensors(images, weight, bias)
    out = F.conv2d(*parts, **how)
    upstream = np.random.default_rng(0).normal(size=tuple(out.shape))
    theirs = torch.autograd.grad(out, parts, torch.from_numpy(upstream))
    for ours, expected in zip(gradients.conv2d_grad(images, weight, upstream, **how), theirs, strict=True):
        assert gap(ours, expected) < CLOSE


def finite_difference(loss, values, step=1e-6):
    """Central differences of `loss()` with respect to every number of `values`, which is moved in place."""
    found = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        kept = values[index]
        sides = []
        for move in (step, -step):
            values[index] = kept + move
            sides.append(loss())
        values[index] = kept
        found[index] = (sides[0] - sides[1]) / (2 * step)
    return found


def test_the_three_gradients_agree_with_finite_differences():
    rng = np.random.default_rng(1)
    images, weight, bias = rng.normal(size=(2, 2, 5, 4)), rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3)
    how = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    upstream = rng.normal(size=layers.conv2d(images, weight, bias, **how).shape)

    def loss():
        return float((upstream * layers.conv2d(images, weight, bias, **how)).sum())

    ours = gradients.conv2d_grad(images, weight, upstream, **how)
    for gradient, values in zip(ours, (images, weight, bias), strict=True):
        assert gap(gradient, finite_difference(loss, values)) < 1e-7


@given(st.integers(1, 12), st.integers(1, 5), SEEDS)
def test_the_1d_gradients_are_autograds(extra, size, seed):
    rng = np.random.default_rng(seed)
    signal, kernel = rng.normal(size=size + extra), rng.normal(size=size)
    x, w, b = tensors(signal, kernel, [0.5])
    out = F.conv1d(x[None, None], w[None, None], b)[0, 0]
    grad = rng.normal(size=len(out))
    theirs = torch.autograd.grad(out, (x, w, b), torch.from_numpy(grad))
    ours = gradients.conv1d_grad(signal, kernel, grad)
    assert all(gap(mine, expected) < CLOSE for mine, expected in zip(ours[:2], theirs, strict=False))
    assert ours[2] == pytest.approx(float(theirs[2][0]), abs=CLOSE)
    assert gap(ours[1], filters.correlate1d(signal, grad)) < CLOSE  # dL/dw slides the gradient over the input
    assert gap(ours[0], np.convolve(grad, kernel)) < CLOSE  # dL/dx is a full convolution: the kernel flipped


@pytest.mark.parametrize("case", GUIDE)
def test_every_case_of_the_guide(case):
    size, kernel, stride, padding, dilation, expected = GUIDE[case]
    assert arithmetic.output_size(size, kernel, stride, padding, dilation) == expected
    theirs = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), None, stride, padding, dilation)
    assert theirs.shape[2] == expected


@given(*(st.integers(1, n) for n in (40, 7, 5)), st.integers(0, 5), st.integers(1, 4))
def test_output_size_is_torchs(size, kernel, stride, padding, dilation):
    assume(dilation * (kernel - 1) < size + 2 * padding)
    theirs = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), None, stride, padding, dilation)
    assert arithmetic.output_size(size, kernel, stride, padding, dilation) == theirs.shape[2]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 7), st.booleans())
def test_parameters_are_torchs(inputs, outputs, kernel, bias):
    theirs = torch.nn.Conv2d(inputs, outputs, kernel, bias=bias)
    assert arithmetic.conv_parameters(inputs, outputs, kernel, bias) == sum(
        p.numel() for p in theirs.parameters()
    )
    dense = torch.nn.Linear(inputs, outputs)
    assert arithmetic.dense_parameters(inputs, outputs) == sum(p.numel() for p in dense.parameters())


@given(PAIRS, PAIRS, st.integers(3, 9), st.integers(3, 9), SEEDS)
def test_pooling_is_torchs(size, stride, height, width, seed):
    images = np.random.default_rng(seed).normal(size=(2, 3, height, width))
    tensor = torch.from_numpy(images)
    assert np.array_equal(
        pooling.max_pool2d(images[0, 0], size, stride), F.max_pool2d(tensor, size, stride)[0, 0]
    )
    assert gap(pooling.average_pool2d(images, size, stride), F.avg_pool2d(tensor, size, stride)) < CLOSE
    assert gap(pooling.global_average_pool(images), F.adaptive_avg_pool2d(tensor, 1)[..., 0, 0]) < CLOSE


def test_max_pool_keeps_the_dtype():
    assert pooling.max_pool2d(np.full((4, 4), -3, np.int16), 2, 2).tolist() == [[-3, -3], [-3, -3]]
    assert pooling.max_pool2d(np.zeros((4, 4), np.uint8), (2, 2), (2, 2)).dtype == np.uint8


IMAGES, WEIGHT = np.ones((1, 3, 8, 8)), np.ones((4, 3, 3, 3))
BAD = [
    (lambda: layers.conv2d(IMAGES, np.ones((4, 2, 3, 3))), r"same channels; got 3 and 2$"),
    (lambda: layers.conv2d(np.ones((1, 8, 8, 3)), WEIGHT), r"got 8 and 3. Channels last\? images.transpose\(0, 3, 1, 2\)"),
    (lambda: layers.conv2d(IMAGES[0], WEIGHT), r"images must have shape \(B, C, H, W\).*; got \(3, 8, 8\). One picture\?"),
    (lambda: layers.conv2d(IMAGES[:0], WEIGHT), r"images must have shape .* none of them 0; got \(0, 3, 8, 8\)"),
    (lambda: layers.conv2d(IMAGES, WEIGHT[0]), r"weight must have shape \(K, C, kh, kw\).*; got \(3, 3, 3\). One kernel\?"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, bias=[1, 2]), r"bias must hold one number for each of 4 kernels; got \(2,\)"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, stride=0), r"stride must be at least 1; got 0"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, stride=(1, -2)), r"stride must be at least 1; got -2"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, padding=-1), r"padding must be at least 0; got -1"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, dilation=(1, 2, 3)), r"dilation must be one number or \(rows, columns\); got 3"),
    (lambda: layers.conv2d(IMAGES, WEIGHT, dilation=4), r"the padded input, 8 cells; got a kernel that reaches over 9"),
    (lambda: layers.conv2d_matrix(IMAGES, np.ones((4, 2, 3, 3))), r"same channels; got 3 and 2"),
    (lambda: layers.im2col(IMAGES, 9), r"the padded input, 8 cells; got a kernel that reaches over 9"),
    (lambda: arithmetic.output_size(0, 3), r"size must be at least 1; got 0"),
    (lambda: arithmetic.output_size(5, 3, stride=0), r"stride must be at least 1; got 0"),
    (lambda: arithmetic.output_size(3, 3, dilation=2), r"3 cells; got a kernel that reaches over 5 \(kernel 3, dilation 2\)"),
    (lambda: arithmetic.conv_parameters(0, 3, 3), r"in_channels must be at least 1; got 0"),
    (lambda: gradients.conv1d_grad(np.ones(5), np.ones(3), np.ones(5)), r"each of the 3 outputs, 5 - 3 \+ 1; got 5"),
    (lambda: gradients.conv1d_grad(np.ones(2), np.ones(3), np.ones(1)), r"kernel must fit into signal, 2; got 3"),
    (lambda: gradients.conv2d_grad(IMAGES, WEIGHT, np.ones((1, 3, 6, 6))), r"B, K = \(1, 4\); got \(1, 3, 6, 6\)"),
    (lambda: gradients.conv2d_grad(IMAGES, WEIGHT, np.ones((1, 4, 5, 6))), r"out_h, out_w = \(6, 6\); got \(5, 6\)"),
    (lambda: pooling.max_pool2d(np.ones((2, 3)), (3, 3), (1, 1)), r"size must fit into image, 2 x 3; got 3 x 3"),
    (lambda: pooling.max_pool2d(np.ones((4, 4)), (2, 2), (0, 1)), r"stride must be at least 1; got 0"),
    (lambda: pooling.average_pool2d(IMAGES, 9, 1), r"size must fit into image, 8 x 8; got 9 x 9"),
    (lambda: pooling.global_average_pool(np.ones((3, 8, 8))), r"images must have shape \(B, C, H, W\).*; got \(3, 8, 8\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_names_what_disagrees(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_types_are_refused():
    with pytest.raises(
        TypeError, match=r"images must be a NumPy array; got a torch tensor. Write images.numpy\(\)"
    ):
        layers.conv2d(torch.ones(1, 3, 8, 8), WEIGHT)
    with pytest.raises(TypeError, match="weight must be an array of numbers"):
        layers.conv2d(IMAGES, None)
    with pytest.raises(TypeError, match=r"stride must be a whole number; got 1.5. Round it first"):
        layers.conv2d(IMAGES, WEIGHT, stride=1.5)
    with pytest.raises(TypeError, match=r"kernel must be a whole number; got 3.0"):
        arithmetic.output_size(5, 3.0)
