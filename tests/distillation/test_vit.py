"""The vision transformer by hand: equal to timm's in every number, its names strict, its errors clear."""

import functools

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from cvlab.distillation.pretrained import attention_of, from_timm, load_timm, resized_positions
from cvlab.distillation.vit import Attention, ViT


@functools.cache
def theirs(**more) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, num_classes=0, **more).eval()
        with torch.no_grad():
            for weight in net.parameters():  # none stays 0, so that a forgotten one shows
                weight += 0.02 * torch.randn_like(weight)
    return net


def ours(patch: int = 16, side: int = 64) -> ViT:
    return ViT(side, patch, width=192, depth=3, heads=3, ratio=4).eval()


def test_all_parameters_of_timm_go_across_and_give_its_numbers():
    net, x = load_timm(ours(), theirs().state_dict()), torch.randn(2, 3, 64, 64)
    count = [sum(p.numel() for p in each.parameters()) for each in (net, theirs())]
    assert count[0] == count[1]
    with torch.no_grad():
        torch.testing.assert_close(net(x), theirs()(x), atol=1e-5, rtol=0)
        torch.testing.assert_close(net.tokens(x), theirs().forward_features(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
def test_attention_is_timms_in_each_block_and_each_row_is_a_distribution(layer):
    net, x = load_timm(ours(), theirs().state_dict()), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        weights = net.attention(x, layer)
    assert weights.shape == (2, 3, 17, 17)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 17))
    torch.testing.assert_close(attention_of(theirs(), x, layer), weights, atol=1e-5, rtol=0)
    torch.testing.assert_close(attention_of(net, x, layer), weights, atol=1e-6, rtol=0)


def test_a_head_of_classes_is_left_out():
    state = theirs().state_dict() | {"head.weight": torch.zeros(10, 192), "head.bias": torch.zeros(10)}
    assert from_timm(state).keys() == ours().state_dict().keys()
    assert "head.bias" in state, "what was given stays"


def test_weights_of_another_patch_are_named_and_the_net_stays():
    net = ours(patch=16)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = theirs().state_dict() | {"patch_embed.proj.weight": torch.zeros(192, 3, 8, 8)}
    with pytest.raises(
        ValueError, match=r"patch_embed was 16, the file has 8: dino8\.pth .*Build ViT\(side, 8"
    ):
        load_timm(net, state, "dino8.pth")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_weights_of_another_size_and_of_another_kind_are_told():
    with pytest.raises(ValueError, match=r"pos_embed is \(1, 17, 192\) in the file, \(1, 37, 192\) in the"):
        load_timm(ours(side=96), theirs().state_dict())
    with pytest.raises(ValueError, match=r"'patch_embed\.proj\.weight'.* its first name is 'conv1\.weight'"):
        from_timm(models.resnet18().state_dict())


@pytest.mark.parametrize("net", [models.resnet18(), nn.Linear(2, 1), timm.create_model("resnet10t")])
def test_attention_of_a_net_without_it_is_refused(net):
    with pytest.raises(TypeError, match=f"net must have blocks with attn.qkv.* got {type(net).__name__}"):
        attention_of(net, torch.zeros(1, 3, 64, 64))


def test_the_hook_is_taken_out_even_after_an_error():
    net = ours()
    with pytest.raises(ValueError, match="known|knows"):
        attention_of(net, torch.zeros(1, 3, 32, 32))
    assert not net.blocks[-1].attn.qkv._forward_hooks


@pytest.mark.parametrize("grid", [(14, 14), (20, 20), (9, 23), (1, 1)])
def test_positions_are_resized_as_timm_does(grid):
    from timm.layers import resample_abs_pos_embed

    old = torch.randn(1, 197, 24)
    wanted = resample_abs_pos_embed(old, list(grid))
    torch.testing.assert_close(resized_positions(old, grid), wanted, atol=1e-5, rtol=0)


def test_resized_positions_let_another_size_in():
    net, x = ours(), torch.randn(1, 3, 96, 48)
    with pytest.raises(
        ValueError, match=r"x has 6 x 3 patches, the net knows 16 positions.*resized_positions"
    ):
        net(x)
    net.pos_embed = nn.Parameter(resized_positions(net.pos_embed, (6, 3)))
    assert net.tokens(x).shape == (1, 19, 192)


@pytest.mark.parametrize("shape", [(1, 16, 8), (2, 17, 8), (17, 8)])
def test_positions_of_no_square_are_refused(shape):
    with pytest.raises(ValueError, match="pos_embed must have shape"):
        resized_positions(torch.zeros(shape), (2, 2))


def test_a_grid_must_be_two_numbers():
    with pytest.raises(ValueError, match=r"grid must be \(rows, columns\).*got \(0, 3\)"):
        resized_positions(torch.zeros(1, 17, 8), (0, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ViT(100, 16), r"side must be a multiple of the patch; got 100 .*16\. Crop to 96"),
        (lambda: ViT(96, 16, width=100, heads=3), "width must be a multiple of heads.*100 and 3"),
        (lambda: Attention(8, 3), "width must be a multiple of heads"),
        (lambda: ViT(96, 16)(torch.zeros(1, 3, 90, 96)), "H of images must be a multiple of patch 16"),
        (lambda: ViT(96, 16)(torch.zeros(1, 1, 96, 96)), r"x must have shape \(B, 3, H, W\); got"),
        (lambda: ViT(96, 16)(torch.zeros(3, 96, 96)), r"One picture\? x\[None\]"),
    ],
)
def test_bad_sizes_are_told(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_without_positions_the_order_of_patches_is_unknown_and_any_size_fits():
    net, x = ViT(12, 1, channels=5, positions=False), torch.randn(2, 5, 12, 12)
    mixed = x.flatten(2)[:, :, torch.randperm(144)].unflatten(2, (12, 12))
    torch.testing.assert_close(net(x), net(mixed), atol=1e-5, rtol=0)
    assert net.tokens(x[:, :, :8, :8]).shape == (2, 65, 96)
    known = ViT(12, 1, channels=5)
    assert (known(x) - known(mixed)).abs().max() > 1e-3
