"""The focal loss is torchvision's, lesson 05's where alpha is a half, and finite wherever a net may stand."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from cvlab.detection.losses import focal_loss
from cvlab.segmentation import losses as of_masks

SHAPES = [(), (0,), (1,), (7,), (2, 3), (2, 5, 3), (1, 2, 3, 4)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_torchvision_in_value_and_slope(shape, dtype):
    """7 shapes x 2 types x 4 alphas x 5 gammas x 3 scales x 2 kinds of targets = 1,680 tensors."""
    rng = torch.Generator().manual_seed(len(shape))
    for alpha in (0.0, 0.25, 0.5, 1.0):
        for gamma in (0, 0.5, 1.0, 2.0, 5.0):
            for scale in (0.1, 1, 8):
                for soft in (False, True):
                    logits = scale * torch.randn(shape, generator=rng, dtype=dtype)
                    targets = torch.rand(shape, generator=rng, dtype=dtype)
                    targets = targets if soft else targets.round()
                    logits.requires_grad_()
                    ours, theirs = (
                        loss(logits, targets, alpha, gamma) for loss in (focal_loss, sigmoid_focal_loss)
                    )
                    assert (ours.shape, ours.dtype) == (shape, dtype)
                    assert torch.allclose(ours, theirs, atol=1e-7)
                    slopes = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (ours, theirs)]
                    assert torch.allclose(*slopes, atol=1e-6, equal_nan=0 < gamma < 1)


def test_gamma_0_and_alpha_a_half_is_half_the_cross_entropy():
    logits, targets = torch.linspace(-5, 5, 11), (torch.arange(11) % 2).float()
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    assert torch.allclose(focal_loss(logits, targets, alpha=0.5, gamma=0), plain / 2)


def test_with_alpha_a_half_it_is_half_of_lesson_05s():
    rng = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(2, 4, 4, generator=rng), torch.rand(2, 4, 4, generator=rng).round()
    for gamma in (0.0, 1.0, 2.0):
        ours = focal_loss(logits, targets, alpha=0.5, gamma=gamma).mean()
        assert torch.allclose(2 * ours, of_masks.focal_loss(logits, targets, gamma), atol=1e-7)


def test_surest_answers_stay_finite():
    logits = torch.tensor([-1e4, -100.0, 100.0, 1e4] * 2, requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0.0] * 4 + [1.0] * 4))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


def test_a_scene_with_no_object_has_a_finite_loss():
    logits = torch.full((144, 17), -4.6, requires_grad=True)
    loss = focal_loss(logits, torch.zeros(144, 17)).sum() / max(1, 0)
    loss.backward()
    assert 0 < loss < 1
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("logits", "targets", "more", "error", "words"),
    [
        ([0.0], torch.zeros(1), {}, TypeError, "logits must be a torch tensor; got list"),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int64), {}, TypeError, "targets must be floats.*one_hot"),
        (torch.zeros(2, 3), torch.zeros(2), {}, ValueError, r"same shape; got \(2, 3\) and \(2,\)"),
        (torch.tensor([0.0, torch.nan]), torch.zeros(2), {}, ValueError, "finite; got 1 of 2"),
        (torch.tensor([torch.inf]), torch.zeros(1), {}, ValueError, "finite; got 1 of 1"),
        (
            torch.zeros(3),
            torch.tensor([0.0, -1, 1]),
            {},
            ValueError,
            "targets must lie in 0 to 1; got 1 of 3.*ignore",
        ),
        (torch.zeros(1), torch.tensor([torch.nan]), {}, ValueError, "targets must lie in 0 to 1; got 1 of 1"),
        (torch.zeros(1), torch.zeros(1), {"alpha": -1}, ValueError, "alpha must lie in 0 to 1.*got -1"),
        (torch.zeros(1), torch.zeros(1), {"gamma": -0.5}, ValueError, "gamma must be at least 0; got -0.5"),
    ],
)
def test_bad_input_is_told(logits, targets, more, error, words):
    with pytest.raises(error, match=words):
        focal_loss(logits, targets, **more)
