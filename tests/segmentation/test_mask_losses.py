"""Losses of masks: equal to torch where torch has them, their limits, and bad input told."""

import pytest
import torch
import torch.nn.functional as F

from cvlab.segmentation.imbalance import small_net, small_things, train_epoch
from cvlab.segmentation.losses import dice_loss, focal_loss

DICE = torch.Generator().manual_seed(0)
LOGITS = torch.randn(3, 1, 4, 5, generator=DICE)
TARGET = torch.randint(2, LOGITS.shape, generator=DICE).float()


def test_each_picture_counts_once():
    each = [dice_loss(z[None], t[None]) for z, t in zip(LOGITS, TARGET, strict=True)]
    assert torch.allclose(dice_loss(LOGITS, TARGET), torch.stack(each).mean())
    assert torch.allclose(dice_loss(LOGITS[:, 0], TARGET[:, 0]), dice_loss(LOGITS, TARGET))


def test_the_limits_of_dice():
    sure = 60 * TARGET - 30
    assert dice_loss(sure, TARGET) < 1e-6
    assert dice_loss(-sure, TARGET) > 0.9
    empty = torch.zeros_like(TARGET)
    assert dice_loss(torch.full_like(LOGITS, -30.0), empty) < 1e-6, "rightly nothing costs nothing"
    assert 0 <= dice_loss(LOGITS, empty) <= 1


def test_focal_is_cross_entropy_where_gamma_is_0():
    plain = F.binary_cross_entropy_with_logits(LOGITS, TARGET)
    assert torch.allclose(focal_loss(LOGITS, TARGET, gamma=0), plain)
    p = torch.where(TARGET > 0, LOGITS.sigmoid(), 1 - LOGITS.sigmoid())
    assert torch.allclose(focal_loss(LOGITS, TARGET), (-((1 - p) ** 2) * p.log()).mean(), atol=1e-6)


@pytest.mark.parametrize("loss", [dice_loss, focal_loss])
def test_gradients_are_the_slopes(loss):
    logits = LOGITS.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, TARGET.double()), logits)


@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        (LOGITS, TARGET[:, 0], ValueError, r"must have the same shape, .*\(3, 4, 5\). target\[:, None\]"),
        (LOGITS[0, 0], TARGET[0, 0], ValueError, r"\(N, H, W\) or \(N, 1, H, W\); got \(4, 5\)"),
        (LOGITS * torch.nan, TARGET, ValueError, "logits must be finite; got 60 of 60"),
        (LOGITS, 255 * TARGET, ValueError, "target must lie in 0 to 1; got 0 to 255. .*Divide by 255"),
        (LOGITS, TARGET - 0.5, ValueError, "target must lie in 0 to 1; got -0.5"),
        (LOGITS, TARGET * torch.nan, ValueError, "target must lie in 0 to 1; got nan"),
        (TARGET.long(), TARGET, TypeError, "logits must be floats; got torch.int64. Class numbers"),
        (LOGITS.numpy(), TARGET, TypeError, "logits must be a torch tensor; got ndarray"),
    ],
)
def test_bad_input_is_told(logits, target, error, message):
    for loss in (dice_loss, focal_loss):
        with pytest.raises(error, match=message):
            loss(logits, target)


def test_the_small_net_learns_small_things():
    pictures, masks = small_things(20)
    shares = masks.mean((1, 2, 3))
    assert 0.01 < shares.min() < shares.max() < 0.06
    assert not torch.equal(pictures, small_things(20, seed=1)[0])
    net = small_net()
    assert torch.equal(net[0].weight, small_net()[0].weight)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    before = dice_loss(net(pictures), masks).item()
    for epoch in range(8):
        train_epoch(net, optimizer, dice_loss, pictures, masks, seed=epoch, batch=4)
    assert dice_loss(net(pictures), masks).item() < before - 0.1
