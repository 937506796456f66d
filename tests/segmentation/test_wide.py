"""FCN, pyramid pooling, ASPP and the separable decoder: what they add up, keep, see and cost."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvlab.convolutions.receptive import gradient_field
from cvlab.segmentation import wide


def levels():
    torch.manual_seed(0)
    return [torch.randn(2, c, s, s) for c, s in ((6, 2), (5, 4), (4, 8))]


def test_an_fcn_is_the_sum_of_its_grown_score_maps():
    net, maps = wide.FCN([6, 5, 4], 3), levels()
    deep, middle, fine = (score(m) for score, m in zip(net.scores, maps, strict=True))
    grown = F.interpolate(deep, (4, 4), mode="bilinear") + middle
    grown = F.interpolate(grown, (8, 8), mode="bilinear") + fine
    assert torch.allclose(net(maps, (32, 32)), F.interpolate(grown, (32, 32), mode="bilinear"), atol=1e-6)


def test_levels_that_an_fcn_has_no_scores_for_change_nothing():
    net, maps = wide.FCN([6], 3), levels()
    before = net(maps, (32, 32))
    maps[1] += 1
    assert torch.equal(net(maps, (32, 32)), before)
    maps[0] += 1
    assert not torch.equal(net(maps, (32, 32)), before)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (7, 9), (3, 20)])
def test_a_pyramid_has_one_length_and_begins_with_the_maximum(size):
    maps = torch.randn(2, 5, *size)
    vector = wide.SpatialPyramidPooling()(maps)
    assert vector.shape == (2, 5 * 21)
    assert torch.equal(vector[:, :5], maps.amax((2, 3)))
    quarters = vector[:, 5:25].reshape(2, 5, 4)
    assert torch.equal(quarters.amax(2), maps.amax((2, 3)))


def side(net, channels: int) -> int:
    torch.manual_seed(0)
    seen = gradient_field(net, torch.rand(8, channels, 21, 21)) > 0
    return int(np.ptp(np.nonzero(seen.any(1))[0])) + 1


@pytest.mark.parametrize("kind", [wide.dilated, wide.separable])
@pytest.mark.parametrize(("rate", "field"), [(1, 3), (2, 5), (4, 9)])
def test_the_field_grows_with_the_dilation_and_the_map_keeps_its_size(kind, rate, field):
    net = kind(8, 8, rate)
    assert side(net, 8) == field
    assert net(torch.zeros(1, 8, 7, 5)).shape == (1, 8, 7, 5)


@pytest.mark.parametrize("kind", [wide.dilated, wide.separable])
def test_aspp_sees_the_whole_map_because_of_the_mean(kind):
    net = wide.ASPP(8, 16, kind)
    assert side(net, 8) == 21
    nn.init.zeros_(net.whole[0].weight)
    assert side(net, 8) == 9


def test_a_separable_decoder_has_a_fraction_of_the_weights():
    counts = [
        sum(p.numel() for p in wide.Decoder(112, 40, 32, 5, kind).parameters())
        for kind in (wide.dilated, wide.separable)
    ]
    assert counts[0] > 4 * counts[1]


def test_the_decoder_joins_the_deep_and_the_shallow_level():
    net = wide.Decoder(5, 4, 8, 3, wide.separable)
    maps = [m.requires_grad_() for m in levels()]
    scores = net(maps, (32, 40))
    assert scores.shape == (2, 3, 32, 40)
    scores.sum().backward()
    assert maps[0].grad is None
    assert maps[1].grad.abs().sum() > 0
    assert maps[2].grad.abs().sum() > 0
