"""The U-Nets of section 9: what they hand on, which sizes they refuse, and that a skip is a skip."""

import pytest
import torch

from cvlab.segmentation.topdown import WIDTHS, TopDown, maps_of
from cvlab.segmentation.unet import SmallUNet, UNet


@pytest.mark.parametrize("widths", [(4,), (4, 6), (2, 4, 6, 8)])
def test_every_depth_answers_for_every_pixel(widths):
    side = 2 ** len(widths)
    assert UNet(3, 5, widths)(torch.zeros(2, 3, side, 2 * side)).shape == (2, 5, side, 2 * side)


def test_its_logits_may_be_negative():
    torch.manual_seed(0)
    logits = UNet(3, 4, (4, 8, 8))(torch.randn(2, 3, 32, 32))
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize(("sides", "level"), [((65, 64), 0), ((64, 65), 0), ((66, 64), 1), ((64, 68), 2)])
def test_odd_sides_are_refused_by_level(sides, level):
    net = UNet(3, 2, (2, 2, 2, 2))
    with pytest.raises(ValueError, match=f"level {level} of 3 must have even sides"):
        net(torch.zeros(1, 3, *sides))


def test_padded_as_the_message_says_it_fits():
    with pytest.raises(ValueError, match="pad the picture to 72 x 64"):
        UNet(3, 2, (2, 2, 2, 2))(torch.zeros(1, 3, 66, 64))
    assert UNet(3, 2, (2, 2, 2, 2))(torch.zeros(1, 3, 72, 64)).shape == (1, 2, 72, 64)


@pytest.mark.parametrize("step", [2, 4])
def test_without_skips_the_same_weights_and_no_way_past_the_bottom(step):
    torch.manual_seed(0)
    nets = [SmallUNet(2, skips, step).eval() for skips in (True, False)]
    assert len({sum(p.numel() for p in net.parameters()) for net in nets}) == 1
    x = torch.randn(1, 3, 32, 32)
    for net, passes in zip(nets, (True, False), strict=True):
        with torch.no_grad():
            net.up1.weight.zero_(), net.up1.bias.zero_()  # the way through the bottom is cut
            differs = not torch.equal(net(x), net(torch.zeros_like(x)))
        assert differs == passes


@pytest.mark.parametrize("skips", [0, 1, 2, 3])
def test_a_decoder_uses_as_many_levels_as_it_has_skips(skips):
    maps = [torch.randn(2, c, s, s, requires_grad=True) for c, s in zip(WIDTHS, (16, 8, 4, 2), strict=True)]
    TopDown(5, width=8, skips=skips)(*maps).square().sum().backward()
    assert [level.grad is not None for level in maps] == [k >= 3 - skips for k in range(4)]


def test_more_skips_than_levels_are_refused():
    with pytest.raises(ValueError, match="skips must be 0 to 3, the finer levels that are added; got 4"):
        TopDown(5, skips=4)


def test_the_frozen_levels_need_no_gradient():
    import numpy as np

    maps = maps_of(np.zeros((1, 96, 96, 3), np.uint8))
    assert [level.dtype for level in maps] == [torch.float16] * 4
    assert not any(level.requires_grad for level in maps)
