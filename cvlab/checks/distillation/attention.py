"""The exercise of lesson 08a in which tokens get to know of each other: `attention`."""

from typing import NamedTuple

import torch

from cvlab.checks._engine.accept import as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.distillation import attention as package

__all__ = ["ATTENTION"]


class _Answer(NamedTuple):
    mixed_values: torch.Tensor
    weights: torch.Tensor


def _apply(function, q, k, v):
    return as_parts(function(q, k, v), _Answer)


def _case(q, k, v) -> Case:
    text = f"attention(torch.tensor({q}), torch.tensor({k}), torch.tensor({v}))"
    return Case(q=torch.tensor(q), k=torch.tensor(k), v=torch.tensor(v)).shown_as(text)


def _drawn(q, k, v, scale=1) -> Case:
    """A case too large to write down."""
    rng = torch.Generator().manual_seed(len(q) + len(v))
    q, k, v = (torch.randn(shape, generator=rng, dtype=torch.float64) for shape in (q, k, v))
    text = f"attention(q, k, v) of shapes {tuple(q.shape)}, {tuple(k.shape)}, {tuple(v.shape)}, float64"
    return Case(q=scale * q, k=k, v=v).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case([[1.0]], [[1.0]], [[5.0]]),
        _case([[0.0]], [[0.0], [0.0]], [[2.0], [4.0]]),
        _case([[1.0]], [[1.0], [0.0]], [[1.0], [0.0]]),
        _case([[2.0, 0.0, 0.0, 0.0]], [[2.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]], [[9.0, 0.0], [0.0, 9.0], [3.0, 3.0]]),
        _case([[1.0, 2.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]),
        _case([[40.0, 0.0], [-40.0, 0.0]], [[40.0, 0.0], [0.0, 1.0]], [[1.0], [2.0]]),
        _drawn((2, 3), (4, 3), (4, 5)),
        _drawn((2, 3, 4), (2, 3, 4), (2, 3, 4)),
        _drawn((2, 2, 5, 3), (2, 2, 4, 3), (2, 2, 4, 3), scale=3),
    ]  # fmt: skip


def _other(q, k, v):
    """Token by token, the largest score taken off before `exp`."""
    scores = torch.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
    parts = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    mixed = (parts[..., None] * v[..., None, :, :]).sum(dim=-2)
    total = parts.sum(dim=-1, keepdim=True)
    return mixed / total, parts / total


def _root(q, k, v):
    return q.shape[-1] ** 0.5


def _softmax(scores):
    return scores.softmax(dim=-1)


def _mix(weights, q, k, v):
    return weights @ v


def _made(*, of=lambda q, k, v: (q, k), by=_root, softmax=_softmax, mix=_mix, end=lambda mixed, weights: (mixed, weights)):  # fmt: skip
    """Return an `attention` that differs from the right one as the arguments say."""

    def attention(q, k, v):
        asks, answers = of(q, k, v)
        weights = softmax(asks @ answers.transpose(-2, -1) / by(q, k, v))
        return end(mix(weights, q, k, v), weights)

    return attention


def _naive(scores):
    parts = scores.exp()
    return parts / parts.sum(dim=-1, keepdim=True)


def _scores_twice(q, k, v):
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return scores @ v, scores.softmax(dim=-1)


def _after(q, k, v):
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-1) / q.shape[-1] ** 0.5
    return weights @ v, weights


def _one_by_one(q, k, v):
    """No batch: `.T` turns all sides around."""
    weights = (q @ k.permute(*reversed(range(k.ndim))) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ v, weights


def _cosine(q, k, v):
    q, k = (torch.nn.functional.normalize(x, dim=-1) for x in (q, k))
    return package.attention(q, k, v)


def _hard(scores):
    best = scores.argmax(dim=-1, keepdim=True)
    return torch.zeros_like(scores).scatter(-1, best, 1)


ATTENTION = Exercise(
    name="attention",
    lesson="08a",
    minutes=10,
    difficulty="medium",
    reference=package.attention,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    mistakes=[
        Mistake("scale forgotten", _made(by=lambda q, k, v: 1), "The scores are not divided. Divide by the square root of D, `q.shape[-1] ** 0.5`."),
        Mistake("divided by D", _made(by=lambda q, k, v: q.shape[-1]), "You divide by D. It is the square root of D: `q.shape[-1] ** 0.5`."),
        Mistake("multiplied", _made(by=lambda q, k, v: q.shape[-1] ** -0.5), "You multiply by the square root of D. Divide by it, or a score grows with D."),
        Mistake("root of the number of tokens", _made(by=lambda q, k, v: k.shape[-2] ** 0.5), "You divide by the root of the number of tokens. It is D, the numbers of one query: `q.shape[-1]`."),
        Mistake("root of E", _made(by=lambda q, k, v: v.shape[-1] ** 0.5), "You divide by the root of E, the numbers of a value. It is D, the numbers of a query: `q.shape[-1]`."),
        Mistake("divided after softmax", _after, "You divide the weights. Divide the scores, before `softmax`: the weights of a row are to sum to 1."),
        Mistake("over the wrong axis", _made(softmax=lambda scores: scores.softmax(dim=-2)), "Your columns sum to 1. Each token that asks shares out 1 among those that answer: `dim=-1`."),
        Mistake("over all scores", _made(softmax=lambda scores: scores.flatten(-2).softmax(dim=-1).view_as(scores)), "All weights together sum to 1 with you. Each row does: `softmax(dim=-1)`."),
        Mistake("over the batch", _made(softmax=lambda scores: scores.softmax(dim=0)), "Your `softmax` runs along the first side. It is the last: `dim=-1`, whatever comes before."),
        Mistake("exp without the largest taken off", _made(softmax=_naive), "Right, until a score is large: `exp` of it is infinite, and infinite by infinite is NaN. `softmax` takes the largest score off first."),
        Mistake("no softmax", _made(softmax=lambda scores: scores), "You mix by the scores themselves. `softmax(dim=-1)` makes them shares that sum to 1."),
        Mistake("shares without exp", _made(softmax=lambda scores: scores / scores.sum(dim=-1, keepdim=True)), "You divide the scores by their sum, which may be 0, and shares may be negative. `softmax` takes `exp` first."),
        Mistake("only the best", _made(softmax=_hard), "You take the best key alone. All values are mixed, each with its weight; and no slope leads through `argmax`."),
        Mistake("values not mixed", _made(mix=lambda weights, q, k, v: v), "You return the values as they came. Mix them: `weights @ v`."),
        Mistake("keys mixed", _made(mix=lambda weights, q, k, v: weights @ k), "You mix the keys. A key says what a token has, the value what it tells: `weights @ v`."),
        Mistake("mixed by scores", _scores_twice, "You mix with the scores. Mix with the weights, after `softmax`."),
        Mistake("queries and keys swapped", _made(of=lambda q, k, v: (k, q)), "Queries and keys are swapped. A row of the weights belongs to a query: `q @ k.transpose(-2, -1)`."),
        Mistake("swapped, then turned back", _made(mix=lambda weights, q, k, v: weights.transpose(-2, -1) @ v), "You turned the weights around before mixing. A row is what one token takes of all: `weights @ v`."),
        Mistake("queries ask queries", _made(of=lambda q, k, v: (q, q)), "Your queries are compared with queries. Compare them with the keys."),
        Mistake("directions only", _cosine, "You compare directions: a long query may ask more loudly. Leave q and k as they are."),
        Mistake("all sides turned around", _one_by_one, "`.T` turns all sides around, the batch too. Swap the last two: `k.transpose(-2, -1)`."),
        Mistake("values first to return", _made(end=lambda mixed, weights: (weights, mixed)), "The order is: mixed values, then weights."),
        Mistake("weights not returned", _made(end=lambda mixed, weights: mixed), "Return both, the mixed values and the weights: `return weights @ v, weights`."),
        Mistake("added to the values", _made(mix=lambda weights, q, k, v: v + weights @ v if v.shape == (weights @ v).shape else weights @ v), "You add the mix to the old values. That is the block's work, later: return the mix."),
    ],
    hints=[
        "On paper: one query `[1.]`, keys `[1.]` and `[0.]`. The scores are 1 and 0, exp makes 2.718 and 1, so the weights are 0.731 and 0.269.",
        "Every query with every key, in one product; swap the last two sides only, so that batch and heads may stand before:\n"
        "    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5",
        "Each row shares out 1, then the values are mixed:\n"
        "    weights = scores.softmax(dim=-1)\n"
        "    return weights @ v, weights",
    ],
    equivalent={
        "scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5": "two sides are swapped whichever is named first",
        "scores = q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5": "a query and a key have as many numbers",
    },
    note="Nothing in it is learnt: what a token asks, has and tells is made before, by three Linear layers.",
)  # fmt: skip
