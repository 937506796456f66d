"""Grad-CAM and occlusion on networks small enough to know the answer, and the scores of their maps."""

import pytest
import torch
from torch import nn

from cvlab.transfer_learning.gradcam import energy_inside, grad_cam, occlusion, pointing_game, ten_class_net
from cvlab.world.single import make_pictures


def tiny(head=((3.0, -1.0), (-1.0, 3.0))) -> nn.Sequential:
    """Two maps, the picture's first two channels; pooled; a linear head."""
    net = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2, bias=False),
    )
    net[0].weight.data = torch.eye(2, 3)[:, :, None, None]
    net[4].weight.data = torch.tensor(head)
    return net.requires_grad_(False)


def paper() -> torch.Tensor:
    x = torch.zeros(1, 3, 2, 2)
    x[0, 0], x[0, 1] = torch.tensor([[4.0, 0], [0, 0]]), torch.tensor([[0.0, 0], [2, 2]])
    return x


def test_the_numbers_on_paper():
    first = grad_cam(tiny(), paper(), torch.tensor([0]), "1")
    second = grad_cam(tiny(), paper(), torch.tensor([1]), "1")
    assert first[0].tolist() == [[3, 0], [0, 0]]
    assert second[0].tolist() == [[0, 0], [1.5, 1.5]]


def test_it_asks_each_picture_about_its_own_class_and_leaves_no_hook():
    net, x = tiny(), paper().repeat(2, 1, 1, 1)
    both = grad_cam(net, x, torch.tensor([0, 1]), "0")
    assert both[0].argmax() == 0
    assert both[1].argmax() >= 2
    assert not net[0]._forward_hooks
    assert all(weight.grad is None for weight in net.parameters())


def test_after_pooling_and_a_linear_head_it_is_cam():
    net = ten_class_net(make_pictures(20, size=64))
    x = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 4, 9])
    maps = net.forward_features(x)  # (3, 1280, 3, 3)
    cam = torch.einsum("nc,nchw->nhw", net.classifier.weight[classes], maps).relu() / 9
    cam = nn.functional.interpolate(cam[:, None], (96, 96), mode="bilinear")[:, 0]
    assert torch.allclose(grad_cam(net, x, classes, "bn2"), cam, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "bn22"}, "named_modules.*; got 'bn22'. Did you mean 'bn2'"),
        ({"layer": "fc"}, "got 'fc'. print"),
        ({"layer": "flat"}, r"layer must put out maps \(N, C, h, w\); 'flat' puts out \(1, 2\)"),
        ({"classes": torch.tensor([2])}, r"classes must be 0 to 1; got \[2\]"),
        ({"classes": torch.tensor([-1])}, "classes must be 0 to 1"),
        ({"classes": 1}, r"classes must be a tensor \(1,\) int64, one a picture; got 1"),
        ({"x": torch.zeros(3, 2, 2)}, r"got \(3, 2, 2\). One picture\? x\[None\]"),
        ({"x": [1]}, "x must be a tensor .* got list"),
    ],
)
def test_bad_input_is_told(change, message):
    names = ("conv", "bn2", "pool", "flat", "head")
    net = nn.Sequential()
    for name, module in zip(names, tiny(), strict=True):
        net.add_module(name, module)
    good = {"net": net, "x": paper(), "classes": torch.tensor([0]), "layer": "conv"}
    with pytest.raises(ValueError, match=message):
        grad_cam(**good | change)
    assert not any(module._forward_hooks for module in net.modules())


def test_without_gradients_it_says_so():
    with torch.inference_mode(), pytest.raises(RuntimeError, match=r"outside no_grad\(\)"):
        grad_cam(tiny(), paper(), torch.tensor([0]), "0")


def test_occlusion_finds_the_pixels_that_count():
    x = torch.zeros(3, 8, 8)
    x[0, :4, 4:] = 4
    drop = occlusion(tiny(), x, 0, patch=4, stride=4)
    assert drop.shape == (2, 2)
    assert drop.argmax() == 1
    assert drop[0, 1] == pytest.approx(torch.tensor([3.0, -1.0]).softmax(0)[0].item() - 0.5)
    assert drop.flatten()[[0, 2, 3]].abs().max() == 0
    assert x.max() == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 9}, "patch must fit"),
        ({"label": 2}, "classes must be 0 to 1"),
        ({"x": torch.zeros(1, 3, 8, 8)}, "one picture"),
        ({"stride": 0}, "stride must be at least 1"),
    ],
)
def test_occlusion_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        occlusion(**{"net": tiny(), "x": torch.zeros(3, 8, 8), "label": 0, "patch": 4} | options)


def test_the_scores_of_a_map():
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, :2, :2] = True
    heat = torch.ones(3, 4, 4)
    heat[1] *= masks[1]
    heat[2] *= ~masks[2]
    assert energy_inside(heat, masks).tolist() == [0.25, 1, 0]
    assert pointing_game(heat, masks).tolist() == [True, True, False]
    assert energy_inside(torch.zeros(1, 4, 4), masks[:1]).isnan().all()


@pytest.mark.parametrize("score", [energy_inside, pointing_game])
def test_the_scores_refuse(score):
    heat, masks = torch.ones(1, 4, 4), torch.ones(1, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="one shape"):
        score(heat, masks[:, :2])
    with pytest.raises(ValueError, match="masks must be bool"):
        score(heat, masks.float())
    with pytest.raises(ValueError, match="0 and more"):
        score(-heat, masks)
