"""Levels of the network: the loop by hand is timm's, colours and patches are what their docstrings say."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning import levels
from cvlab.transfer_learning.backbone import backbone, prepare
from cvlab.widgets import LevelExplorer
from cvlab.widgets.transfer_learning.level_explorer import _best, _touch

NOISE = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@torch.inference_mode()
def test_the_loop_is_timms_own_way_through_the_network():
    found = dict(zip(levels.LEVELS, levels.each_level(backbone(), prepare(NOISE)), strict=True))
    last, inner = backbone().forward_intermediates(prepare(NOISE))
    blocks = (0, 1, 2, 4, 6)
    for block, theirs in zip(blocks, inner[-5:], strict=True):
        assert torch.allclose(found[f"block {block}"], theirs, atol=1e-4)
    assert torch.allclose(found["head"], backbone().forward_features(prepare(NOISE)), atol=1e-4)


def test_pooled_is_the_mean_of_each_map():
    with torch.inference_mode():
        maps = levels.each_level(backbone(), prepare(NOISE))
    pooled = levels.pooled(NOISE)
    assert list(pooled) == list(levels.LEVELS)
    for vectors, one in zip(pooled.values(), maps, strict=True):
        assert torch.allclose(vectors, one.mean((2, 3)), atol=1e-4)


def test_colours_follow_the_largest_differences():
    maps = torch.zeros(1, 5, 4, 4)
    maps[0, 3] = torch.arange(16).reshape(4, 4)  # the only channel that differs
    rgb = levels.pca_rgb(maps + 0.01 * torch.rand(1, 5, 4, 4, generator=torch.Generator().manual_seed(0)))
    red = rgb[0, :, :, 0].flatten()
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    assert (red.diff() >= 0).all() or (red.diff() <= 0).all()


def test_patches_are_unit_vectors_and_coarse_levels_are_repeated():
    found = levels.patches(NOISE, side=8)
    for vectors in found.values():
        assert vectors.shape[:3] == (2, 8, 8)
        assert torch.allclose(vectors.norm(dim=3), torch.ones(2, 8, 8), atol=1e-4)
    last = found["block 6"]  # 2 x 2 places
    assert torch.equal(last[:, 0, 0], last[:, 3, 3])


def test_patches_of_no_side_are_refused():
    with pytest.raises(ValueError, match="side must be at least 1; got 0"):
        levels.patches(NOISE, side=0)


@pytest.fixture(scope="module")
def explorer():
    return LevelExplorer()


def test_a_patch_is_most_like_itself(explorer):
    for level in levels.LEVELS:
        values = explorer.compute(level=level, picture="drawn dog 2", row=6, col=9)
        row, col, side = values["best"][5]
        assert row <= 6 < row + side
        assert col <= 9 < col + side
        assert values["alike"][5, 6, 9] == pytest.approx(1, abs=2e-3)


def test_the_middle_of_the_network_knows_an_eye_and_its_ends_do_not(explorer):
    eyes = {
        level: sum(explorer.compute(level=level, picture="a cat's photo", row=5, col=5)["eyes"])
        for level in levels.LEVELS
    }
    assert eyes["block 4"] == 5
    assert max(eyes["stem"], eyes["block 0"], eyes["block 6"], eyes["head"]) <= 2


def test_the_task_wants_an_eye_of_the_photographed_cat(explorer):
    at = {"level": "block 4", "picture": "a cat's photo", "row": 5, "col": 5}
    assert explorer.goal(explorer.compute(**at))
    assert not explorer.goal(explorer.compute(**at | {"row": 11, "col": 9}))
    assert not explorer.goal(explorer.compute(**at | {"picture": "drawn cat 2", "row": 7, "col": 8}))


def test_the_best_place_of_a_coarse_level_is_four_patches():
    fine = np.arange(16.0).reshape(4, 4)
    assert _best(fine) == [3, 3, 1]
    assert _best(fine[:2, :2].repeat(2, 0).repeat(2, 1)) == [2, 2, 2]


def test_touching_a_box():
    assert _touch((3, 3, 1), (3.9, 3.9, 5, 5))
    assert not _touch((3, 3, 1), (4, 3, 5, 4))
    assert _touch((2, 2, 2), (3.5, 3.5, 5, 5))
