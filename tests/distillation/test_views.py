"""Views by hand are torchvision's; crops lie where they are said to lie; distances tell same from different."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.distillation.views import (
    auc,
    change,
    mix,
    multi_crop,
    random_crops,
    solarize,
    to_grey,
    view_distances,
)

IMAGE = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0))
TWO = [[1, 1.5, 0, 0], [0.25, 1.5, 1, 0.5]]


def test_crops_are_torchvisions():
    views = multi_crop(IMAGE, torch.tensor([*TWO, [0.1, 0.6, 0.25, 1.0]]), 32, 16)
    boxes = (0, 0, 40, 60, 32), (10, 30, 20, 30, 32), (20, 12, 20, 12, 16)
    for view, (top, left, high, wide, side) in zip(views, boxes, strict=True):
        theirs = tv.resized_crop(IMAGE, top, left, high, wide, [side, side], antialias=True)
        assert torch.equal(view, theirs)


def test_colours_are_torchvisions():
    black, grey = torch.zeros(1), to_grey(IMAGE)
    for share in (0.6, 1, 1.4):
        for ours, theirs in [
            (mix(IMAGE, black, share), tv.adjust_brightness(IMAGE, share)),
            (mix(IMAGE, grey.mean(), share), tv.adjust_contrast(IMAGE, share)),
            (mix(IMAGE, grey, share), tv.adjust_saturation(IMAGE, share)),
        ]:
            assert (ours - theirs).abs().max() < 2e-4  # theirs has 0.2989 for red
    assert (grey - tv.rgb_to_grayscale(IMAGE)).abs().max() < 2e-4
    assert torch.equal(solarize(IMAGE), tv.solarize(IMAGE, 0.5))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8))
def test_random_crops_fit_and_have_their_areas(seed, local):
    crops = random_crops(np.random.default_rng(seed), local)
    area, ratio = crops[:, 0], crops[:, 1]
    assert len(crops) == 2 + local
    assert ((area[:2] >= 0.4) & (area[:2] <= 1)).all()
    assert ((area[2:] >= 0.05) & (area[2:] <= 0.4)).all()
    assert ((ratio >= 0.7499) & (ratio <= 1.3334)).all()
    assert torch.maximum(area * ratio, area / ratio).max() <= 1 + 1e-9
    assert len(multi_crop(torch.zeros(1, 24, 24), crops, 4, 4)) == 2 + local


def test_only_the_second_view_is_solarised_and_the_first_always_blurred():
    dice, steps = np.random.default_rng(0), torch.zeros(3, 64, 64)
    steps[..., 32:] = 1.0
    hard, turned = np.zeros(3), np.zeros(3)
    for _ in range(200):
        for i, view in enumerate(change([steps] * 3, dice)):
            assert view.min() >= -1e-6
            assert view.max() <= 1 + 1e-6
            jumps = view[0, 0].diff().abs()
            hard[i] += (jumps > 1e-3).sum() == 1
            middle = view[0, 0, [0, -1]]
            turned[i] += bool((middle < 0.01).all())  # white turned over is black
    assert hard[1] > 150
    assert turned[1] > 5
    assert turned[0] == turned[2] == 0
    assert hard[0] < 60 < hard[2] < 140


def test_a_change_keeps_its_input_and_follows_its_dice():
    views = multi_crop(IMAGE, torch.tensor(TWO), 16, 8)
    kept = [view.clone() for view in views]
    once, again = (change(views, np.random.default_rng(7)) for _ in range(2))
    assert all(map(torch.equal, views, kept))
    assert all(map(torch.equal, once, again))


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        ([[1, 1.5, 0, 0]], "at least two rows; got 1. DINO's student foretells what the teacher says of another"),
        ([1, 1, 0, 0], r"shape \(V, 4\) as area, ratio, x, y; got \(4,\). One crop\? Pass \[crops\]"),
        ([*TWO, [25, 1, 0, 0]], "area must be a share.*got 25. Percent"),
        ([*TWO, [0, 1, 0, 0]], "area must be a share of the picture, above 0 and at most 1; got 0"),
        ([*TWO, [0.1, -1, 0, 0]], "ratio must be above 0, width over height; got -1"),
        ([*TWO, [0.1, 1, 30, 0]], "x and y must be 0 to 1.*got 30, 0"),
        ([*TWO, [0.5, 4, 0, 0]], "asks for 69 x 17 of 60 x 40 pixels. Take a smaller area, or a ratio nearer to 1.5"),
        ([*TWO, [1e-5, 1, 0, 0]], "a crop must have a pixel; area 1e-05 of 60 x 40 pixels has 0 x 0"),
    ],
)  # fmt: skip
def test_wrong_crops_are_refused(crops, message):
    with pytest.raises(ValueError, match=message):
        multi_crop(IMAGE, torch.tensor(crops))


def test_wrong_pictures_are_refused():
    crops = torch.tensor(TWO)
    with pytest.raises(
        TypeError, match=r"float tensor, 0 to 1; got torch.uint8. Bytes\? image.float\(\) / 255"
    ):
        multi_crop(IMAGE.byte(), crops)
    with pytest.raises(TypeError, match="float tensor, 0 to 1; got ndarray"):
        multi_crop(IMAGE.numpy(), crops)
    with pytest.raises(ValueError, match=r"A batch\? Pass one picture: image\[0\]"):
        multi_crop(IMAGE[None], crops)
    with pytest.raises(ValueError, match="Channels last"):
        multi_crop(IMAGE.permute(1, 2, 0), crops)
    with pytest.raises(ValueError, match="small must be at least 1; got 0"):
        multi_crop(IMAGE, crops, small=0)


def test_distances_forget_lengths_and_tell_same_from_different():
    a = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    within, between = view_distances(a, 3 * a)
    assert within.abs().max() < 1e-5
    assert len(between) == 30 * 29
    assert auc(within, between) == 1
    assert auc(between, within) == 0
    assert auc(within, within) == 0.5
    assert view_distances(a, -a)[0].min() > 1.999


def test_unpaired_features_are_refused():
    with pytest.raises(ValueError, match=r"the same shape, row for row.*got \(3, 2\) and \(2, 2\)"):
        view_distances(torch.ones(3, 2), torch.ones(2, 2))
    with pytest.raises(
        ValueError, match=r"features_a must have shape \(N, D\).*Pool them: maps.mean\(\(2, 3\)\)"
    ):
        view_distances(torch.ones(3, 2, 4, 4), torch.ones(3, 2, 4, 4))
