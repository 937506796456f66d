"""A mask out of attention: the fewest places that hold a share of it."""

import pytest
import torch

from cvlab.dino.masks import mass_mask


def test_it_holds_the_share_and_no_smaller_set_does():
    attention = torch.randn(4, 3, 49, generator=torch.Generator().manual_seed(0)).mul(2).softmax(-1)
    for share in (0.1, 0.6, 0.95):
        mask = mass_mask(attention, share)
        held = (attention * mask).sum(-1)
        least = attention.masked_fill(~mask, 2).amin(-1)
        assert (held >= share - 1e-6).all()
        assert (held - least < share).all(), "without its weakest place it holds too little"
        assert (least >= attention.masked_fill(mask, -1).amax(-1)).all(), "nothing stronger was left out"


def test_a_greater_share_only_adds_places():
    attention = torch.rand(100).softmax(0)
    small, large = mass_mask(attention, 0.3), mass_mask(attention, 0.7)
    assert (large | ~small).all()
    assert large.sum() > small.sum() > 0
    assert mass_mask(attention, 1.0).all()


def test_equal_places_are_kept_from_the_first():
    assert mass_mask(torch.full((4,), 0.25), 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("attention", "share", "error", "words"),
    [
        ([0.5, 0.5], 0.5, TypeError, "attention must be a tensor of floats; got list"),
        (torch.tensor([1, 0]), 0.5, TypeError, "got torch.int64"),
        (
            torch.tensor([0.5, 0.25]),
            0.5,
            ValueError,
            r"must sum to 1; got 0.75. Without the class token's own share\? Divide",
        ),
        (
            torch.tensor([1.5, -0.5]),
            0.5,
            ValueError,
            r"must be 0 or more; got -0.5. Scores\? Take their softmax",
        ),
        (torch.tensor([float("nan"), 1.0]), 0.5, ValueError, "1 of 2 are NaN"),
        (torch.tensor(1.0), 0.5, ValueError, r"must have shape \(..., P\)"),
        (torch.tensor([1.0]), 0, ValueError, "share must be above 0 and at most 1; got 0"),
        (torch.tensor([1.0]), 60, ValueError, r"In percent\? Divide by 100"),
        (torch.tensor([1.0]), float("nan"), ValueError, "got nan"),
    ],
)
def test_bad_input_is_named(attention, share, error, words):
    with pytest.raises(error, match=words):
        mass_mask(attention, share)
