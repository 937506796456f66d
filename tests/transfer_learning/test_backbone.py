"""The pretrained network and what it is given."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning import backbone


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
