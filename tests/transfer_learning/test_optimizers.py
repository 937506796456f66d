"""Adam by hand takes torch's steps."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning.optimizers import adam_step

ONE = np.ones(1)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)])
def test_adam_walks_as_torch_does(betas):
    rng = np.random.default_rng(0)
    weight, m, v = rng.normal(size=(2, 3)), np.zeros((2, 3)), np.zeros((2, 3))
    theirs = torch.tensor(weight, requires_grad=True)
    optimizer = torch.optim.Adam([theirs], lr=0.1, betas=betas)
    for step in range(1, 40):
        grad = rng.normal(size=(2, 3)) * [0.001, 1, 1000]
        theirs.grad = torch.tensor(grad)
        optimizer.step()
        weight, m, v = adam_step(weight, grad, m, v, step, 0.1, betas)
        assert np.allclose(weight, theirs.detach(), atol=1e-10)


def test_the_first_step_is_as_long_as_the_rate():
    grad = np.array([1e-4, -3.0, 1e5])
    weight, _, _ = adam_step(np.zeros(3), grad, np.zeros(3), np.zeros(3), 1, lr=0.2)
    assert np.allclose(weight, [-0.2, 0.2, -0.2], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grad": np.ones(2)}, r"weight and grad must have the same shape; got \(1,\) and \(2,\)"),
        ({"v": -ONE}, "v must hold means of squares, at least 0; got -1. Have m and v changed places"),
        ({"betas": (0.9, 1.0)}, "betas must be two shares from 0 to below 1; got"),
        ({"step": 0}, "step must be at least 1; got 0"),
        ({"grad": np.array([np.nan])}, "grad must be finite"),
    ],
)
def test_bad_input_is_named(changes, message):
    good = {"weight": ONE, "grad": ONE, "m": ONE, "v": ONE, "step": 1}
    with pytest.raises(ValueError, match=message):
        adam_step(**good | changes)
