"""PCA of patches to colours."""

import pytest
import torch

from cvlab.dino.components import to_rgb


def test_alike_patches_of_different_pictures_have_one_colour():
    dice = torch.Generator().manual_seed(0)
    kinds = torch.randn(4, 16, generator=dice)
    chosen = torch.randint(4, (3, 25), generator=dice)
    tokens = kinds[chosen] + 0.01 * torch.randn(3, 25, 16, generator=dice)
    colours = to_rgb(tokens)
    assert colours.min() >= 0
    assert colours.max() <= 1
    means = torch.stack([colours[chosen == kind].mean(0) for kind in range(4)])
    assert (colours - means[chosen]).abs().max() < 0.1
    assert torch.pdist(means).min() > 0.3


def test_bad_input_is_told():
    with pytest.raises(ValueError, match=r"tokens must have shape .N, P, D. with D at least 3; got .2, 4."):
        to_rgb(torch.zeros(2, 4))
