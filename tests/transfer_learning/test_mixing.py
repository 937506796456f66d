"""MixUp and CutMix: equal to torchvision's, the label is what is in the picture, bad input is told what is wrong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from cvlab.transfer_learning.mixing import cutmix, mixup

ORDER = torch.arange(6).roll(1)  # torchvision's


def batch(seed=0, size=(9, 12)):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(6, 3, *size, generator=dice), torch.tensor([3, 0, 2, 2, 1, 0])


def test_mixup_is_torchvisions():
    images, labels = batch()
    transform = v2.MixUp(num_classes=5)
    transform.make_params = lambda _: {"lam": 0.3}
    for ours, theirs in zip(mixup(images, labels, 0.3, ORDER, 5), transform(images, labels), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_cutmix_is_torchvisions(seed):
    images, labels = batch(seed)
    torch.manual_seed(seed)
    theirs = v2.CutMix(num_classes=5)(images, labels)
    torch.manual_seed(seed)
    lam = float(torch.distributions.Beta(torch.ones(1), torch.ones(1)).sample())
    col, row = int(torch.randint(12, (1,))), int(torch.randint(9, (1,)))
    for ours, expected in zip(cutmix(images, labels, lam, ORDER, (row, col), 5), theirs, strict=True):
        assert torch.allclose(ours, expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.integers(0, 8), st.integers(0, 11))
def test_cutmix_targets_are_the_share_of_pixels(lam, row, col):
    images = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 1, 9, 12)
    mixed, targets = cutmix(images, torch.arange(6), lam, ORDER, (row, col), 6)
    for i in range(6):
        counted = torch.tensor([(mixed[i] == k).float().mean() for k in range(6)])
        assert torch.allclose(targets[i], counted, atol=1e-6)


@pytest.mark.parametrize("function", [mixup, lambda *a: cutmix(*a[:4], (8, 0), a[4])])
def test_the_input_stays_and_targets_add_up_to_one(function):
    images, labels = batch()
    before = images.clone(), labels.clone()
    mixed, targets = function(images, labels, 0.4, ORDER, 4)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert torch.allclose(targets.sum(dim=1), torch.ones(6))
    assert not torch.equal(mixed, images)


def test_bytes_do_not_wrap():
    images = torch.tensor([10, 250], dtype=torch.uint8).reshape(2, 1, 1, 1)
    mixed, _ = mixup(images, torch.tensor([0, 1]), 0.5, torch.tensor([1, 0]), 2)
    assert mixed.flatten().tolist() == [130, 130]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(3, 9, 12)}, r"images must be \(B, C, H, W\); got \(3, 9, 12\). One picture"),
        ({"labels": torch.zeros(6, 5)}, r"labels must be \(B,\) class numbers.*One-hot already"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, "one class for each of the 6 images; got 5"),
        ({"labels": torch.full((6,), 5)}, "labels must be 0 to 4, because classes is 5; got 5 to 5"),
        ({"lam": 30}, "lam must be a share from 0 to 1; got 30. In percent"),
        ({"order": torch.zeros(6, dtype=torch.int64)}, "order must hold each of 0 to 5 once; got .*randperm"),
        ({"classes": 0}, "classes must be at least 1; got 0"),
        ({"centre": (11, 3)}, r"centre must be \(row, col\) inside the 9 x 12 picture; got \(11, 3\)"),
    ],
)
def test_bad_input_is_told_what_is_wrong(change, message):
    images, labels = batch()
    given = {"images": images, "labels": labels, "lam": 0.5, "order": ORDER, "classes": 5, **change}
    with pytest.raises(ValueError, match=message):
        cutmix(**given) if "centre" in given else mixup(**given)
