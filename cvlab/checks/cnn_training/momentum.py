"""The exercise of lesson 03 that goes downhill: one step with momentum."""

from typing import NamedTuple

import numpy as np

from cvlab.checks._engine.accept import as_array, as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import loop

__all__ = ["SGD_MOMENTUM_STEP"]


class _Step(NamedTuple):
    new_weight: np.ndarray
    new_velocity: np.ndarray


def _apply(function, weight, grad, velocity, **rates):
    return as_parts(function(weight, grad, velocity, **rates), _Step, as_array)


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)
    grid = [rng.integers(-9, 10, (2, 3)) / 4 for _ in range(3)]
    return [
        Case(np.array([1.0]), np.array([2.0]), np.array([0.0])),
        Case(np.array([1.0]), np.array([2.0]), np.array([10.0])),
        Case(np.array([1.0, -3.0]), np.array([0.5, -2.0]), np.array([4.0, 1.0]), lr=0.5, momentum=0.5),
        Case(np.array([2.0, 4.0]), np.array([1.0, -1.0]), np.array([3.0, 5.0]), lr=0.2, momentum=0.0),
        Case(*grid, lr=0.25, momentum=0.75),
    ]


def _other(weight, grad, velocity, lr=0.1, momentum=0.9):
    """Say it as two sums."""
    new_velocity = np.add(grad, np.multiply(velocity, momentum))
    return np.subtract(weight, np.multiply(new_velocity, lr)), new_velocity


def _weight_in_place(weight, grad, velocity, lr=0.1, momentum=0.9):
    velocity = momentum * velocity + grad
    weight -= lr * velocity
    return weight, velocity


def _velocity_in_place(weight, grad, velocity, lr=0.1, momentum=0.9):
    velocity *= momentum
    velocity += grad
    return weight - lr * velocity, velocity


def _in_place(weight, grad, velocity, lr=0.1, momentum=0.9):
    velocity *= momentum
    velocity += grad
    weight -= lr * velocity
    return weight, velocity


def _stepped(rule):
    """Return a step from `rule(w, g, v, lr, m)`, with the exercise's defaults."""

    def sgd_momentum_step(weight, grad, velocity, lr=0.1, momentum=0.9):
        return rule(weight, grad, velocity, lr, momentum)

    return sgd_momentum_step


def _with(velocity):
    """Return the plain step with another velocity, `velocity(g, v, lr, m)`."""

    def rule(w, g, v, lr, m):
        new = velocity(g, v, lr, m)
        return w - lr * new, new

    return _stepped(rule)


SGD_MOMENTUM_STEP = Exercise(
    name="sgd_momentum_step",
    lesson="03",
    minutes=6,
    difficulty="easy",
    reference=loop.sgd_momentum_step,
    other=_other,
    cases=_cases,
    apply=_apply,
    any_float=True,
    mistakes=[
        Mistake("uphill", _stepped(lambda w, g, v, lr, m: (w + lr * (m * v + g), m * v + g)), "You walk uphill: the gradient points to where the loss grows. Subtract."),
        Mistake("no momentum", _stepped(lambda w, g, v, lr, m: (w - lr * g, g)), "velocity and momentum change nothing in your answer. The new velocity is `momentum * velocity + grad`."),
        Mistake("old velocity", _stepped(lambda w, g, v, lr, m: (w - lr * v, m * v + g)), "You step with the old velocity, so this gradient counts one step late. Update the velocity first."),
        Mistake("step with the bare gradient", _stepped(lambda w, g, v, lr, m: (w - lr * g, m * v + g)), "The velocity is right, but you step with the bare gradient. Step with the velocity: `weight - lr * velocity`."),
        Mistake("step forgotten", _stepped(lambda w, g, v, lr, m: (w, m * v + g)), "The velocity is right, but the weight stays where it was: `weight - lr * velocity`, returned or kept in a name."),
        Mistake("Keras' velocity", _stepped(lambda w, g, v, lr, m: (w + m * v - lr * g, m * v - lr * g)), "That is Keras' form: its velocity holds lr and points downhill. Here, as in PyTorch, it sums gradients; lr comes in at the step."),
        Mistake("velocity points downhill", _stepped(lambda w, g, v, lr, m: (w + lr * (m * v - g), m * v - g)), "Your velocity points downhill. Here it sums gradients, uphill, and the step subtracts it: `momentum * velocity + grad`."),
        Mistake("gradient subtracted twice", _with(lambda g, v, lr, m: m * v - g), "Two minus signs make a plus, so you walk uphill. Add the gradient to the velocity; subtract at the step only."),
        Mistake("running mean", _with(lambda g, v, lr, m: m * v + (1 - m) * g), "You weigh the gradient by `1 - momentum`. Here it counts in full, as in `torch.optim.SGD`."),
        Mistake("running mean turned round", _with(lambda g, v, lr, m: (1 - m) * v + m * g), "You weigh the old velocity by `1 - momentum` and the gradient by momentum. It is `momentum * velocity + grad`."),
        Mistake("learning rate inside", _stepped(lambda w, g, v, lr, m: (w - (m * v + lr * g), m * v + lr * g)), "Your velocity holds the learning rate. Keep it out: velocity sums gradients, the step multiplies by lr once."),
        Mistake("learning rate twice", _with(lambda g, v, lr, m: m * v + lr * g), "The learning rate counts twice, in the velocity and in the step. Only the step multiplies by lr."),
        Mistake("no learning rate", _stepped(lambda w, g, v, lr, m: (w - (m * v + g), m * v + g)), "lr changes nothing in your answer. The step is `lr * velocity`."),
        Mistake("rates exchanged", _stepped(lambda w, g, v, lr, m: (w - m * (lr * v + g), lr * v + g)), "lr and momentum changed places: momentum shrinks the old velocity, lr scales the step."),
        Mistake("rates fixed", _stepped(lambda w, g, v, lr, m: (w - 0.1 * (0.9 * v + g), 0.9 * v + g)), "You calculate with 0.1 and 0.9, whatever the caller asks for. Use the arguments lr and momentum."),
        Mistake("momentum on the gradient", _with(lambda g, v, lr, m: v + m * g), "momentum multiplies the gradient in your answer. It shrinks what is remembered: the velocity."),
        Mistake("momentum on both", _with(lambda g, v, lr, m: m * (v + g)), "momentum multiplies velocity and gradient. It shrinks only the old velocity: `momentum * velocity + grad`."),
        Mistake("velocity never shrinks", _with(lambda g, v, lr, m: v + g), "momentum changes nothing in your answer, so the velocity grows for ever. Keep only that share: `momentum * velocity + grad`."),
        Mistake("weight for velocity", _stepped(lambda w, g, v, lr, m: (w - lr * (m * w + g), m * w + g)), "Your new velocity is made from the weight. It keeps a share of the old velocity: `momentum * velocity + grad`."),
        Mistake("Nesterov", _stepped(lambda w, g, v, lr, m: (w - lr * (g + m * (m * v + g)), m * v + g)), "That is Nesterov's step, which looks one step ahead. The plain one is `weight - lr * velocity`."),
        Mistake("results exchanged", _stepped(lambda w, g, v, lr, m: (m * v + g, w - lr * (m * v + g))), "The two results changed places: return the weight, then the velocity."),
        Mistake("gradient added to the step", _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + g) - lr * g, m * v + g)), "The velocity holds this gradient already, and you subtract it once more: `weight - lr * velocity`."),
        Mistake("old velocity returned", _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + g), v)), "The weight is right, but you return the old velocity: the next step would remember nothing."),
        Mistake("velocity without the gradient", _stepped(lambda w, g, v, lr, m: (w - lr * (m * v + g), m * v)), "The weight is right, but the velocity you return lacks the gradient: the next step would not remember it."),
        Mistake("only the weight", _stepped(lambda w, g, v, lr, m: w - lr * (m * v + g)), "Only the weight comes back. The next step needs the velocity, too: `return weight, velocity`."),
        Mistake("only the velocity", _stepped(lambda w, g, v, lr, m: m * v + g), "Only the velocity comes back. Take the step and return both: `return weight - lr * velocity, velocity`."),
        Mistake("changes its inputs", _in_place, "You changed the caller's arrays (`+=`, `*=`). Make new ones: `velocity = momentum * velocity + grad`."),
        Mistake("changes the weight", _weight_in_place, "You changed the caller's weight (`-=`). Return a new one: `weight - lr * velocity`."),
        Mistake("changes the velocity", _velocity_in_place, "You changed the caller's velocity (`*=` or `+=`). Make a new one: `momentum * velocity + grad`."),
        Mistake("a dict", _stepped(lambda w, g, v, lr, m: {"weight": w - lr * (m * v + g), "velocity": m * v + g}), "You return a dict. Return the two arrays: `return weight, velocity`."),
        Mistake("two lists", _stepped(lambda w, g, v, lr, m: ((w - lr * (m * v + g)).tolist(), (m * v + g).tolist())), "The numbers are right, but they come as lists. Calculate with whole arrays, no loop: `momentum * velocity + grad`."),
        Mistake("learning rate on the gradient only", _stepped(lambda w, g, v, lr, m: (w - lr * g - m * v, m * v + g)), "lr multiplies only the gradient in your step. It multiplies the whole new velocity: `weight - lr * velocity`."),
    ],
    hints=[
        "Without momentum: `weight - lr * grad`. With it you subtract `lr` times the velocity instead.",
        "The velocity keeps a share `momentum` of itself and adds the new gradient.",
        "Both come back, the weight first:\n"
        "    velocity = momentum * velocity + grad\n"
        "    return weight - lr * velocity, velocity",
    ],
    note="With momentum 0.9 a steady gradient builds up to ten times its size.",
)  # fmt: skip
