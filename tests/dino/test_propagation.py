"""Labels handed from frame to frame."""

import numpy as np
import pytest
import torch

from cvlab.dino.propagation import follow, nearby, propagate_labels, soft_labels, upsampled

YES = torch.ones(1, 2, dtype=torch.bool)
GOOD = {"features": torch.ones(1, 2), "known": torch.eye(2), "labels": torch.eye(2), "allowed": YES, "k": 1}


def test_length_counts_for_nothing_and_the_forbidden_is_not_asked():
    known = torch.tensor([[5.0, 1.0], [0.1, 0.1]])
    asked = {"labels": torch.eye(2), "k": 1}
    assert propagate_labels(torch.ones(1, 2), known, allowed=YES, **asked).tolist() == [[0, 1]]
    only = torch.tensor([[True, False]])
    assert propagate_labels(torch.ones(1, 2), known, allowed=only, **asked).tolist() == [[1, 0]]


def test_shares_stay_shares_and_a_low_temperature_sharpens():
    dice = torch.Generator().manual_seed(0)
    features, known = torch.randn(6, 4, generator=dice), torch.randn(20, 4, generator=dice)
    labels = torch.rand(20, 3, generator=dice).softmax(1)
    allowed = torch.ones(6, 20, dtype=torch.bool)
    soft, sharp, one = (
        propagate_labels(features, known, labels, allowed, k, t) for k, t in ((5, 10.0), (5, 1e-3), (1, 1.0))
    )
    assert torch.allclose(soft.sum(1), torch.ones(6))
    assert torch.allclose(sharp, one, atol=1e-3)
    assert not torch.allclose(soft, one, atol=1e-3)


def test_places_within_a_radius():
    near = nearby(4, 1)
    assert near.diagonal().all()
    assert torch.equal(near, near.T)
    assert near[0].nonzero()[:, 0].tolist() == [0, 1, 4, 5]
    assert nearby(4, 3).all()


def test_soft_labels_are_areas_and_come_back():
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[1, :4, 4:] = 2
    labels[1, 4, 0] = 1
    shares = soft_labels(labels, 3, 2)
    assert shares.shape == (2, 4, 3)
    assert shares[1].tolist() == [[1, 0, 0], [0, 0, 1], [0.9375, 0.0625, 0], [1, 0, 0]]
    back = upsampled(soft_labels(labels[1:], 3, 4), 8)
    assert (back[0].numpy() == labels[1]).mean() > 0.9


def test_a_thing_that_shifts_is_followed():
    """Every patch of the thing has a vector of its own, and so has every patch of the ground."""
    dice = torch.Generator().manual_seed(1)
    ground, thing = torch.randn(36, 8, generator=dice), torch.randn(4, 8, generator=dice)
    frames, wanted = [], []
    for t in range(4):
        features, label = ground.clone(), torch.zeros(36, 2)
        for i, (r, c) in enumerate(((1, 0), (1, 1), (2, 0), (2, 1))):
            features[6 * r + c + t] = thing[i]
            label[6 * r + c + t] = torch.tensor([0.0, 1.0])
        frames.append(features)
        wanted.append(label)
    wanted = torch.stack(wanted).argmax(2)  # (frames, P)
    told = follow(torch.stack(frames), torch.eye(2)[wanted[0]], radius=2, k=3, temperature=0.01).argmax(2)
    never = (
        wanted.sum(0) == 0
    )  # what comes out from under the thing was never seen: it may be taken for anything
    assert (told[wanted == 1] == 1).all()
    assert (told[:, never] == 0).all()


def test_the_last_frames_are_asked_and_older_ones_are_not():
    dice = torch.Generator().manual_seed(2)
    features, first = torch.randn(6, 9, 4, generator=dice), torch.rand(9, 2, generator=dice).softmax(1)
    few = follow(features, first, context=1, radius=2, k=4)
    known, told = torch.cat([features[0], features[4]]), torch.cat([few[0], few[4]])
    allowed = torch.ones(9, 18, dtype=torch.bool)
    assert torch.allclose(few[5], propagate_labels(features[5], known, told, allowed, 4))


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"features": torch.ones(1, 3)}, ValueError, "as many numbers a patch; got 3 and 2"),
        (
            {"features": torch.ones(2)},
            ValueError,
            r"features must have shape \(patches, numbers\); got \(2,\)",
        ),
        ({"features": torch.full((1, 2), float("nan"))}, ValueError, "features must be finite; 2 of 2"),
        ({"known": np.eye(2)}, TypeError, "known must be a tensor of floats; got ndarray"),
        (
            {"labels": torch.eye(3)},
            ValueError,
            "labels must have a row for each of the 2 known patches; got 3",
        ),
        ({"labels": torch.tensor([0, 1])}, TypeError, "labels must be a tensor of floats; got torch.int64"),
        ({"allowed": YES.float()}, ValueError, r"allowed must be bool of shape \(1, 2\); got torch.float32"),
        ({"allowed": YES.T}, ValueError, r"of shape \(1, 2\); got torch.bool \(2, 1\)"),
        ({"k": 3}, ValueError, "k must be at most what each patch may ask; got 3, and one may ask 2 only"),
        ({"k": 0}, ValueError, "k must be at least 1"),
        ({"temperature": 0}, ValueError, "temperature must be above 0; got 0"),
    ],
)
def test_bad_input_is_named(changed, error, words):
    with pytest.raises(error, match=words):
        propagate_labels(**GOOD | changed)
