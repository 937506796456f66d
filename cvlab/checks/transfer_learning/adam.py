"""The exercise of lesson 04 whose steps are as long as the learning rate: one step of Adam."""

from typing import NamedTuple

import numpy as np

from cvlab.checks._engine.accept import as_array, as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.transfer_learning import optimizers

__all__ = ["ADAM_STEP"]


class _Step(NamedTuple):
    new_weight: np.ndarray
    new_m: np.ndarray
    new_v: np.ndarray


def _apply(function, weight, grad, m, v, step, **rates):
    return as_parts(function(weight, grad, m, v, step, **rates), _Step, as_array)


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)
    grid = [rng.integers(-9, 10, (2, 3)) / 4 for _ in range(3)]
    squares = rng.integers(1, 20, (2, 3)) / 4
    far = {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.25}
    return [
        Case(np.array([1.0]), np.array([2.0]), np.array([0.0]), np.array([0.0]), 1, lr=0.1),
        Case(np.array([-1.7, 0.6]), np.array([-1.7, 12.0]), np.zeros(2), np.zeros(2), 1, lr=0.2),
        Case(np.array([1.0]), np.array([2.0]), np.array([0.5]), np.array([3.0]), 2, lr=0.1),
        Case(
            np.array([1.0, -3.0]), np.array([-4.0, 2.0]), np.array([0.5, 1.0]), np.array([3.0, 2.0]), 3, **far
        ),
        Case(np.array([2.0]), np.array([0.0]), np.array([0.0]), np.array([0.0]), 1, lr=0.1),
        Case(np.array([1.0]), np.array([2.0]), np.array([0.5]), np.array([3.0]), 4),
        Case(*grid, squares, 5, lr=0.25, betas=(0.75, 0.5), eps=0.5),
    ]


def _other(weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    """Correct the rate instead of the means, as torch's code does."""
    keep, keep_square = betas
    new_m = m + (1 - keep) * (grad - m)
    new_v = v + (1 - keep_square) * (np.square(grad) - v)
    bias, bias_square = 1 - keep**step, 1 - keep_square**step
    size = np.sqrt(new_v) / np.sqrt(bias_square) + eps
    return weight - (lr / bias) * new_m / size, new_m, new_v


def _means(g, m, v, b, c):
    return b * m + (1 - b) * g, c * v + (1 - c) * g**2


def _moved(w, m, v, t, lr, b, c, eps):
    """Return the corrected step from new means."""
    return w - lr * (m / (1 - b**t)) / (np.sqrt(v / (1 - c**t)) + eps)


def _with(rule):
    """Return an answer from `rule(w, g, m, v, t, lr, b, c, eps)`, with the exercise's defaults."""

    def adam_step(weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        with np.errstate(all="ignore"):
            return rule(weight, grad, m, v, step, lr, *betas, eps)

    return adam_step


def _stepped(rule):
    """Return an answer with right means, whose weight is `rule(w, g, m, v, t, lr, b, c, eps)` of the new ones."""

    def whole(w, g, m, v, t, lr, b, c, eps):
        m, v = _means(g, m, v, b, c)
        return rule(w, g, m, v, t, lr, b, c, eps), m, v

    return _with(whole)


def _meant(means):
    """Return an answer with the right step of wrong means, `means(g, m, v, b, c)`."""

    def whole(w, g, m, v, t, lr, b, c, eps):
        m, v = means(g, m, v, b, c)
        return _moved(w, m, v, t, lr, b, c, eps), m, v

    return _with(whole)


def _returned(choose):
    """Return the right step, but `choose(old, new)` of the triples (weight, m, v)."""

    def whole(w, g, m, v, t, lr, b, c, eps):
        new = _means(g, m, v, b, c)
        return choose((w, m, v), (_moved(w, *new, t, lr, b, c, eps), *new))

    return _with(whole)


def _in_place(weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    m *= betas[0]
    m += (1 - betas[0]) * grad
    v *= betas[1]
    v += (1 - betas[1]) * grad**2
    return _moved(weight, m, v, step, lr, *betas, eps), m, v


def _weight_in_place(weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    m, v = _means(grad, m, v, *betas)
    weight -= lr * m / (1 - betas[0] ** step) / (np.sqrt(v / (1 - betas[1] ** step)) + eps)
    return weight, m, v


def _corrected_kept(w, g, m, v, t, lr, b, c, eps):
    m, v = _means(g, m, v, b, c)
    return _moved(w, m, v, t, lr, b, c, eps), m / (1 - b**t), v / (1 - c**t)


ADAM_STEP = Exercise(
    name="adam_step",
    lesson="04",
    minutes=6,
    difficulty="medium",
    reference=optimizers.adam_step,
    other=_other,
    cases=_cases,
    apply=_apply,
    any_float=True,
    mistakes=[
        Mistake("no bias correction", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (np.sqrt(v) + eps)), "m and v start at 0, so their first values are too small. Divide them by `1 - betas[0] ** step` and `1 - betas[1] ** step` before the step."),
        Mistake("only m corrected", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / (np.sqrt(v) + eps)), "You correct m, but not v: divide v by `1 - betas[1] ** step` before the root."),
        Mistake("only v corrected", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (np.sqrt(v / (1 - c**t)) + eps)), "You correct v, but not m: divide m by `1 - betas[0] ** step`."),
        Mistake("correction multiplied", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m * (1 - b**t) / (np.sqrt(v * (1 - c**t)) + eps)), "You multiply by `1 - betas[0] ** step`. The means are too small at first: divide by it."),
        Mistake("correction without the power", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, 1, lr, b, c, eps)), "You correct every step as if it were the first. The correction fades: `1 - betas[0] ** step`."),
        Mistake("correction times the step", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b * t) / (np.sqrt(np.abs(v / (1 - c * t))) + eps)), "You multiply the betas by step. It is a power: `betas[0] ** step`."),
        Mistake("step counted from 0", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t + 1, lr, b, c, eps)), "You correct for `step + 1`. Here step counts from 1 already: `1 - betas[0] ** step`."),
        Mistake("one step too early", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t - 1, lr, b, c, eps)), "You correct for `step - 1`, which divides by 0 in the first step. It is `1 - betas[0] ** step`."),
        Mistake("corrections exchanged", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - c**t) / (np.sqrt(v / (1 - b**t)) + eps)), "The two corrections changed places: `betas[0]` belongs to m, `betas[1]` to v."),
        Mistake("corrected by the first beta alone", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / (np.sqrt(v / (1 - b**t)) + eps)), "You correct v by `betas[0]`. v keeps `betas[1]` of itself, so divide it by `1 - betas[1] ** step`."),
        Mistake("corrected after the root", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / (np.sqrt(v) / (1 - c**t) + eps)), "You correct v after the root. First `v / (1 - betas[1] ** step)`, then the root."),
        Mistake("corrected means kept", _with(_corrected_kept), "The weight is right, but you return the corrected means. Keep m and v as they are: each step corrects them anew."),
        Mistake("uphill", _stepped(lambda w, g, m, v, t, lr, b, c, eps: 2 * w - _moved(w, m, v, t, lr, b, c, eps)), "You walk uphill: the gradient points to where the loss grows. Subtract."),
        Mistake("no root", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / (v / (1 - c**t) + eps)), "You divide by v, a mean of squares. Its root has the size of a gradient: `np.sqrt`."),
        Mistake("bare gradient", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * g / (np.sqrt(v / (1 - c**t)) + eps)), "You step with the bare gradient. Step with its running mean: m divided by `1 - betas[0] ** step`."),
        Mistake("not divided", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t)), "v changes nothing in your step, so it is momentum. Divide by the root of the corrected v."),
        Mistake("eps inside the root", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / np.sqrt(v / (1 - c**t) + eps)), "You add eps inside the root. It is added to the root: `np.sqrt(...) + eps`."),
        Mistake("eps before the correction", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * m / (1 - b**t) / ((np.sqrt(v) + eps) / np.sqrt(1 - c**t))), "You add eps before you correct v. First correct, then the root, then add eps."),
        Mistake("no eps", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t, lr, b, c, 0.0)), "eps changes nothing in your answer; where every gradient was 0, you divide 0 by 0. Add it to the root."),
        Mistake("eps fixed", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t, lr, b, c, 1e-8)), "You add 1e-8, whatever the caller asks for. Use the argument eps."),
        Mistake("eps subtracted", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t, lr, b, c, -eps)), "You subtract eps from the root. Add it, so that nothing is divided by 0."),
        Mistake("no learning rate", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t, 1.0, b, c, eps)), "lr changes nothing in your answer. It multiplies the step."),
        Mistake("learning rate fixed", _stepped(lambda w, g, m, v, t, lr, b, c, eps: _moved(w, m, v, t, 0.001, b, c, eps)), "You calculate with a learning rate of 0.001, whatever the caller asks for. Use lr."),
        Mistake("betas fixed", _with(lambda w, g, m, v, t, lr, b, c, eps: (lambda n: (_moved(w, *n, t, lr, 0.9, 0.999, eps), *n))(_means(g, m, v, 0.9, 0.999))), "You calculate with 0.9 and 0.999, whatever the caller asks for. Use the argument betas."),
        Mistake("betas exchanged", _with(lambda w, g, m, v, t, lr, b, c, eps: (lambda n: (_moved(w, *n, t, lr, c, b, eps), *n))(_means(g, m, v, c, b))), "The betas changed places: `betas[0]` belongs to m, `betas[1]` to v."),
        Mistake("one beta for both", _with(lambda w, g, m, v, t, lr, b, c, eps: (lambda n: (_moved(w, *n, t, lr, b, b, eps), *n))(_means(g, m, v, b, b))), "Your v keeps `betas[0]` of itself. It has a share of its own: `betas[1]`."),
        Mistake("shares turned round", _meant(lambda g, m, v, b, c: ((1 - b) * m + b * g, (1 - c) * v + c * g**2)), "The shares are turned round: `betas[0]` is what stays of the old m, `1 - betas[0]` what the gradient adds."),
        Mistake("momentum's velocity", _meant(lambda g, m, v, b, c: (b * m + g, c * v + (1 - c) * g**2)), "Your m is momentum's velocity: the gradient counts in full. A mean weighs it by `1 - betas[0]`."),
        Mistake("squares in full", _meant(lambda g, m, v, b, c: (b * m + (1 - b) * g, c * v + g**2)), "Your v adds the whole square. A mean weighs it by `1 - betas[1]`."),
        Mistake("sums", _meant(lambda g, m, v, b, c: (b * m + g, c * v + g**2)), "Your m and v are sums. Running means weigh what is new by `1 - betas[0]` and `1 - betas[1]`."),
        Mistake("not squared", _meant(lambda g, m, v, b, c: (b * m + (1 - b) * g, c * v + (1 - c) * g)), "v is the mean of the squares: `grad**2`, not `grad`."),
        Mistake("sizes, not squares", _meant(lambda g, m, v, b, c: (b * m + (1 - b) * g, c * v + (1 - c) * np.abs(g))), "v is the mean of the squares: `grad**2`, not `abs(grad)`."),
        Mistake("square of m", _meant(lambda g, m, v, b, c: (b * m + (1 - b) * g, c * v + (1 - c) * (b * m + (1 - b) * g) ** 2)), "Your v averages the square of m. It averages the square of this step's gradient: `grad**2`."),
        Mistake("old means forgotten", _meant(lambda g, m, v, b, c: ((1 - b) * g, (1 - c) * g**2)), "The old m and v change nothing in your answer. Each keeps a share of itself: `betas[0] * m` and `betas[1] * v`."),
        Mistake("distance from the mean", _meant(lambda g, m, v, b, c: (b * m + (1 - b) * g, c * v + (1 - c) * (g - b * m - (1 - b) * g) ** 2)), "You average the squared distance from m, as AdaBelief does. Adam averages `grad**2` itself."),
        Mistake("old means in the step", _with(lambda w, g, m, v, t, lr, b, c, eps: (_moved(w, m, v, t, lr, b, c, eps), *_means(g, m, v, b, c))), "You step with the old m and v, so this gradient counts one step late. Update them first."),
        Mistake("sign only", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * np.sign(g)), "You step by the sign of the gradient. So does Adam's first step, but later it divides m by the root of v."),
        Mistake("Nesterov's Adam", _stepped(lambda w, g, m, v, t, lr, b, c, eps: w - lr * (b * m / (1 - b ** (t + 1)) + (1 - b) * g / (1 - b**t)) / (np.sqrt(v / (1 - c**t)) + eps)), "That is NAdam, which looks one step ahead. The plain step uses m divided by `1 - betas[0] ** step`."),
        Mistake("largest square", _with(lambda w, g, m, v, t, lr, b, c, eps: (lambda n: (_moved(w, n[0], np.maximum(v, n[1]), t, lr, b, c, eps), n[0], np.maximum(v, n[1])))(_means(g, m, v, b, c))), "Your v never shrinks, as in AMSGrad. Here it is the running mean, smaller or not."),
        Mistake("step forgotten", _returned(lambda old, new: (old[0], *new[1:])), "m and v are right, but the weight stays where it was: subtract the step, and return or keep the result."),
        Mistake("old means returned", _returned(lambda old, new: (new[0], *old[1:])), "The weight is right, but you return the old m and v: the next step would remember nothing."),
        Mistake("old m returned", _returned(lambda old, new: (new[0], old[1], new[2])), "Weight and v are right, but you return the old m."),
        Mistake("old v returned", _returned(lambda old, new: (new[0], new[1], old[2])), "Weight and m are right, but you return the old v."),
        Mistake("means exchanged", _returned(lambda old, new: (new[0], new[2], new[1])), "m and v changed places in what you return: the weight, then m, then v."),
        Mistake("weight last", _returned(lambda old, new: (*new[1:], new[0])), "The order is another: return the weight, then m, then v."),
        Mistake("only the weight", _returned(lambda old, new: new[0]), "Only the weight comes back. The next step needs the means, too: `return weight, m, v`."),
        Mistake("the step itself", _returned(lambda old, new: (old[0] - new[0], *new[1:])), "You return the step, not the new weight: `weight - ...`."),
        Mistake("changes the means", _in_place, "You changed the caller's m and v (`*=` or `+=`). Make new ones: `m = betas[0] * m + ...`."),
        Mistake("changes the weight", _weight_in_place, "You changed the caller's weight (`-=`). Return a new one: `weight - ...`."),
        Mistake("a dict", _returned(lambda old, new: dict(zip(("weight", "m", "v"), new, strict=True))), "You return a dict. Return three arrays: `return weight, m, v`."),
        Mistake("lists", _returned(lambda old, new: tuple(array.tolist() for array in new)), "The numbers are right, but they come as lists. Calculate with whole arrays, no loop."),
    ],
    hints=[
        "First the two running means: of the gradient and of its square. Each keeps a share of itself.",
        "Then correct both for having started at 0: `m / (1 - betas[0] ** step)`, and v with `betas[1]`. Keep the uncorrected ones.",
        "The step is the corrected mean, divided by the root of the corrected square:\n"
        "    m = betas[0] * m + (1 - betas[0]) * grad\n"
        "    v = betas[1] * v + (1 - betas[1]) * grad**2\n"
        "    mean, square = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)\n"
        "    return weight - lr * mean / (np.sqrt(square) + eps), m, v",
    ],
    note="A gradient of any size gives a first step as long as the learning rate: Adam takes its sign only.",
)  # fmt: skip
