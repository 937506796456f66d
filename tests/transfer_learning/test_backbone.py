"""The pretrained network and what it is given."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning import backbone
from cvlab.transfer_learning.levels import LEVELS, each_level


def test_prepare_is_what_the_network_was_trained_on():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    expected = (torch.tensor(images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    assert torch.allclose(backbone.prepare(images), expected, atol=1e-6)


def test_floats_are_refused():
    with pytest.raises(ValueError, match="images must be .* uint8; got"):
        backbone.prepare(np.zeros((2, 8, 8, 3)))


def test_features_do_not_depend_on_the_batch():
    images = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    net = backbone.backbone()
    whole, parts = backbone.features(net, images), backbone.features(net, images, batch=2)
    assert torch.allclose(whole, parts, atol=1e-4)


def test_the_four_sets_share_no_picture():
    sets = backbone.ten_classes()
    seen = [picture.tobytes() for pictures in sets.values() for picture in pictures.images]
    assert len(set(seen)) == len(seen)


def test_the_folded_network_says_the_same_at_every_level_and_has_no_batchnorm_left():
    images = np.random.default_rng(2).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    x = backbone.prepare(images)
    both = zip(each_level(backbone.folded(), x), each_level(backbone.backbone(), x), strict=True)
    for level, (ours, theirs) in zip(LEVELS, both, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max())), level
    kinds = {type(part).__name__ for part in backbone.folded().modules()}
    assert not any("Norm" in kind for kind in kinds)
    assert sum("BatchNorm" in type(part).__name__ for part in backbone.backbone().modules()) == 49


def test_the_folded_network_is_frozen_and_leaves_the_other_alone():
    before = {name: value.clone() for name, value in backbone.backbone().state_dict().items()}
    assert not any(value.requires_grad for value in backbone.folded().parameters())
    assert not backbone.folded().training
    after = backbone.backbone().state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
