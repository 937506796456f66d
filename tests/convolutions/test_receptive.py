"""Receptive fields: published values, the cells that are really seen, and gradients that vanish outside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cvlab.convolutions import receptive

LAYER = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))
STACK = st.lists(LAYER, max_size=3)


@pytest.mark.parametrize("name", receptive.PUBLISHED)
def test_published_values(name):
    assert receptive.receptive_field(receptive.PUBLISHED[name]) == receptive.PUBLISHED_FIELDS[name]


def test_published_values_are_the_articles():
    assert receptive.PUBLISHED_FIELDS == {
        "AlexNet": 195,
        "VGG-16": 212,
        "ResNet-50": 483,
        "MobileNet v1": 315,
        "Inception v2": 699,
    }


def test_where_resnet_strides_changes_the_field():
    assert receptive.receptive_field(receptive.RESNET50_CAFFE) == 483
    assert receptive.receptive_field(receptive.RESNET50_TORCHVISION) == 427


def test_torchvisions_resnet_has_the_listed_layers():
    import torchvision

    model = torchvision.models.resnet50(weights=None)
    for block in (
        block for stage in (model.layer1, model.layer2, model.layer3, model.layer4) for block in stage
    ):
        block.downsample = None  # the side path: 1 x 1, sees no more
    assert receptive.spatial_layers(model) == receptive.RESNET50_TORCHVISION


def test_torchvisions_vgg_has_the_listed_layers():
    import torchvision

    model = torchvision.models.vgg16(weights=None).features
    assert receptive.spatial_layers(model) == receptive.PUBLISHED["VGG-16"]


@given(STACK)
@settings(deadline=None)
def test_gradients_reach_exactly_the_field(stack):
    field = receptive.receptive_field(stack)
    convs = []
    for kernel, stride, dilation in stack:
        convs.append(nn.Conv1d(1, 1, kernel, stride, dilation=dilation, dtype=torch.double))
        nn.init.constant_(convs[-1].weight, 1.0)
    signal = torch.zeros(1, 1, field, dtype=torch.double, requires_grad=True)
    out = nn.Sequential(*convs)(signal)
    assert out.shape[2] == 1, "an input as large as the field gives one number"
    (gradient,) = torch.autograd.grad(out.sum(), signal)
    seen = receptive.seen_cells(0, stack, [0] * len(stack))[-1]
    assert np.flatnonzero(gradient[0, 0].numpy()).tolist() == seen
    assert (seen[0], seen[-1]) == (0, field - 1)


@given(STACK, st.integers(0, 9), st.integers(0, 3))
def test_padding_moves_the_field_and_does_not_change_it(stack, cell, pad):
    bare = receptive.seen_cells(cell, stack, [0] * len(stack))[-1]
    padded = receptive.seen_cells(cell, stack, [pad] * len(stack))[-1]
    assert bare[-1] - bare[0] + 1 == receptive.receptive_field(stack)
    assert np.unique(np.array(bare) - padded).size == 1


@given(STACK, LAYER)
def test_the_field_never_shrinks(stack, layer):
    assert receptive.receptive_field([*stack, layer]) >= receptive.receptive_field(stack)


def test_gradient_field_in_two_dimensions():
    layers = [(3, 2, 1), (3, 1, 2)]
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 2, 3, dilation=2))
    with torch.no_grad():
        for part in network:
            part.weight.abs_()
    measured = receptive.gradient_field(network, torch.rand(2, 3, 29, 29))
    rows = np.flatnonzero(measured.sum(axis=1))
    assert measured.shape == (29, 29)
    assert rows[-1] - rows[0] + 1 == receptive.receptive_field(layers)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([(3, 0, 1)], ValueError, r"layers\[0\] stride must be at least 1; got 0"),
        (
            [(3, 1, 1), (3, 1)],
            ValueError,
            r"layers\[1\] must be \(kernel, stride, dilation\).*; got \(3, 1\)",
        ),
        ([(3, 1, 1.5)], TypeError, r"layers\[0\] dilation must be a whole number; got 1.5"),
        ([3, 1, 1], ValueError, r"layers\[0\] must be \(kernel, stride, dilation\), three numbers; got 3"),
        ("VGG-16", TypeError, r"layers must be a list of \(kernel, stride, dilation\); got 'VGG-16'"),
    ],
)
def test_bad_input(layers, error, message):
    with pytest.raises(error, match=message):
        receptive.receptive_field(layers)


def test_seen_cells_wants_a_padding_a_layer():
    with pytest.raises(ValueError, match="padding must hold one number for each of 2 layers; got 1"):
        receptive.seen_cells(0, [(3, 1, 1), (3, 1, 1)], [0])
