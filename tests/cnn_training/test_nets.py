"""The networks of lesson 03: shapes, sizes, the same weights from the same seed."""

import pytest
import torch

from cvlab.cnn_training import nets


@pytest.mark.parametrize("name", list(nets.NETS))
def test_from_pictures_to_logits(name):
    assert nets.make(name)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert nets.make(name, classes=4)(torch.zeros(1, 3, 32, 32)).shape == (1, 4)


def test_parameters_by_hand():
    assert nets.count_parameters(nets.dense_net()) == 3073 * 128 + 129 * 32 + 33 * 10
    convolutions = 6 * (25 * 3 + 1) + 16 * (25 * 6 + 1)
    assert nets.count_parameters(nets.lenet()) == convolutions + 401 * 120 + 121 * 84 + 85 * 10


def test_a_seed_is_a_network_and_leaves_the_dice_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = nets.make("lenet", 1), nets.make("lenet", 1), nets.make("lenet", 2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_residual_block_is_the_identity_where_it_has_learnt_nothing():
    block = nets.ResidualBlock(8, 8).eval()
    torch.nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 8, 6, 6)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(("channels", "stride"), [(8, 2), (12, 1), (12, 2)])
def test_residual_block_changes_shape_by_its_shortcut(channels, stride):
    block = nets.ResidualBlock(8, channels, stride)
    assert block(torch.zeros(1, 8, 6, 6)).shape == (1, channels, 6 // stride, 6 // stride)
    assert isinstance(block.shortcut, torch.nn.Conv2d)


def test_shortcuts_carry_the_gradient_to_layer_1():
    norms = []
    for shortcuts in (False, True):
        torch.manual_seed(0)
        net = nets.deep_net(shortcuts=shortcuts)
        torch.nn.functional.cross_entropy(net(torch.randn(16, 3, 32, 32)), torch.arange(16) % 10).backward()
        norms.append(net[0].weight.grad.norm().item())
    assert norms[1] > 1000 * norms[0]


def test_layer_table_leaves_no_hook_and_no_mode_behind():
    net = nets.lenet().train()
    net[2].eval()
    modes = [part.training for part in net.modules()]
    assert len(nets.layer_table(net, 32)) == 5
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        nets.layer_table(net, 64)  # its dense layer wants the maps of 32 x 32
    assert not any(part._forward_hooks for part in net.modules())
    assert [part.training for part in net.modules()] == modes


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nets.make("lent"), ValueError, "name must be one of .* Did you mean 'lenet'"),
        (lambda: nets.deep_net(7, shortcuts=True), ValueError, "depth must be even.*got 7"),
        (lambda: nets.deep_net(2, shortcuts=True), ValueError, "depth must be at least 4; got 2"),
        (lambda: nets.small_resnet(width=0), ValueError, "width must be at least 1; got 0"),
    ],
)
def test_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
