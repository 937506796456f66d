"""Lesson 00's exercise on autograd: slope."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake

__all__ = ["SLOPE"]


def slope(function, x: float) -> float:
    """Find how fast a function rises at one number, by autograd.

    Args:
        function: takes a 0-dimensional float tensor and returns one.
        x: where to ask.

    Returns:
        The derivative of `function` at `x`.

    Example:
        >>> slope(lambda x: x**2 + 2 * x, 3)
        8.0
    """
    import torch

    x = torch.tensor(float(x), requires_grad=True)
    function(x).backward()
    return x.grad.item()


def _other(function, x: float) -> float:
    """Ask for the gradient instead of collecting it."""
    import torch

    start = torch.tensor([float(x)], requires_grad=True)
    (found,) = torch.autograd.grad(function(start[0]), start)
    return float(found[0])


def square(x):
    return x**2


def cubic(x):
    return x**3 - 5 * x


def wave(x):
    return 10 * x.sin()


def _cases() -> list[Case]:
    return [
        Case(square, 3),
        Case(square, -2.0),
        Case(cubic, 2),
        Case(cubic, 0.5),
        Case(wave, 0),
        Case(wave, 2.5),
    ]


def _tensor(x: float):
    import torch

    return torch.tensor(float(x), requires_grad=True)


def _backward(function, x: float):
    """Return the marked tensor after `backward`."""
    marked = _tensor(x)
    function(marked).backward()
    return marked


def _twice(function, x: float) -> float:
    marked = _tensor(x)
    function(marked).backward()
    function(marked).backward()
    return marked.grad.item()


def _rise(step: float):
    """Return the slope between x and x + step."""

    def rise(function, x: float) -> float:
        return (function(_tensor(x + step)).item() - function(_tensor(x)).item()) / step

    return rise


SLOPE = Exercise(
    name="slope",
    lesson="00",
    minutes=3,
    difficulty="medium",
    reference=slope,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake(
            "returns the value",
            lambda function, x: function(_tensor(x)).item(),
            "That is the function's value. Call `.backward()` on it, and read the slope in `x.grad`.",
        ),
        Mistake(
            "returns a tensor",
            lambda function, x: _backward(function, x).grad,
            "`x.grad` is a tensor. Take the number out of it: `x.grad.item()`.",
        ),
        Mistake(
            "returns x",
            lambda function, x: _backward(function, x).item(),
            "You returned x itself. Its slope is in `x.grad`.",
        ),
        Mistake(
            "backward twice",
            _twice,
            "The slope is doubled: each `backward()` adds to `x.grad`. Call it once.",
        ),
        Mistake(
            "one step to the right",
            _rise(1),
            "You took the rise from x to `x + 1`, which is the slope at one number only for straight lines. "
            "Let `backward()` find it.",
        ),
        Mistake(
            "a coarse difference",
            _rise(0.1),
            "You took the rise over a small step: close, not equal. Let `backward()` find the slope.",
        ),
        Mistake(
            "sign turned",
            lambda function, x: -_backward(function, x).grad.item(),
            "The sign is turned: a function that rises has a positive slope.",
        ),
        Mistake(
            "always positive",
            lambda function, x: float(np.abs(_backward(function, x).grad.item())),
            "A function that falls has a negative slope. Leave the sign as it is.",
        ),
    ],
    hints=[
        "Three steps: mark a tensor, let the function compute, walk back.",
        "`requires_grad=True` marks a tensor; the result of `function(x)` has the method `backward()`:\n"
        "    x = torch.tensor(float(x), requires_grad=True)",
        "After `backward()` the slope is in `x.grad`, and `.item()` makes it a float:\n"
        "    function(x).backward()\n"
        "    return x.grad.item()",
    ],
    note="Nobody wrote a derivative: any function made of tensor operations will do.",
    shorter="torch.func.grad(function)(torch.tensor(float(x))).item()",
)
