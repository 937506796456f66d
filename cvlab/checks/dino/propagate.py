"""The exercise of lesson 08b that carries labels from frame to frame: propagate_labels."""

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.dino import propagation

__all__ = ["PROPAGATE_LABELS"]


def _apply(function, features, known, labels, allowed, **more):
    return function(features, known, labels, allowed, **more)


def _case(features, known, labels, allowed, **more) -> Case:
    words = "".join(f", {name}={value}" for name, value in more.items())
    parts = ", ".join(f"torch.tensor({part})" for part in (features, known, labels, allowed))
    tensors = {"features": features, "known": known, "labels": labels, "allowed": allowed}
    return Case(**{k: torch.tensor(v) for k, v in tensors.items()}, **more).shown_as(
        f"propagate_labels({parts}{words})"
    )


def _random(patches: int, many: int, classes: int, seed: int, **more) -> Case:
    dice = torch.Generator().manual_seed(seed)
    features, known = (3 * torch.randn(n, 4, generator=dice) for n in (patches, many))
    labels = torch.rand(many, classes, generator=dice).softmax(dim=1)
    allowed = torch.rand(patches, many, generator=dice) < 0.7
    words = "".join(f", {name}={value}" for name, value in more.items())
    text = f"propagate_labels(features, known, labels, allowed{words})  # {patches} patches ask {many}"
    return Case(features=features, known=known, labels=labels, allowed=allowed, **more).shown_as(text)


def _cases() -> list[Case]:
    two, yes = [[1.0, 0.0], [0.0, 1.0]], [[True, True]]
    return [
        _case([[1.0, 0.0]], two, two, yes, k=1),
        _case([[1.0, 1.0]], [[4.0, 0.0], [1.0, 2.0]], two, yes, k=1),  # a long vector is not a similar one
        _case([[1.0, 0.0]], two, two, [[False, True]], k=1),
        _case([[2.0, 1.0]], two, two, yes, k=2, temperature=1.0),
        _case(
            [[2.0, 1.0]],
            [[3.0, 1.0], [1.0, 1.0], [0.0, 1.0]],
            [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]],
            [[True] * 3],
            k=2,
        ),
        _random(3, 12, 3, seed=0),
        _random(4, 20, 2, seed=1, k=3, temperature=0.5),
        _random(2, 16, 4, seed=2, k=7, temperature=0.02),
    ]


def _other(features, known, labels, allowed, k=5, temperature=0.1):
    """Patch by patch, over those that may be asked."""
    rows = []
    for feature, may in zip(features, allowed, strict=True):
        some, told = known[may], labels[may]
        likeness = F.cosine_similarity(feature[None], some)
        best = likeness.argsort(descending=True)[:k]
        weights = torch.exp((likeness[best] - likeness.max()) / temperature)
        rows.append((weights / weights.sum()) @ told[best])
    return torch.stack(rows)


def _cosine(a, b):
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def _weighted(best, temperature):
    return (best / temperature).softmax(dim=1)


def _made(*, alike=_cosine, forbid=lambda likeness, allowed: likeness.masked_fill(~allowed, -torch.inf), largest=True,
          weigh=_weighted, k_is=None, temperature_is=None, end=lambda out: out):  # fmt: skip
    """Return a `propagate_labels` that differs from the right one as the arguments say."""

    def propagate_labels(features, known, labels, allowed, k=5, temperature=0.1):
        k = k if k_is is None else min(k_is, len(known))
        likeness = forbid(alike(features, known), allowed)
        best, where = likeness.topk(k, dim=1, largest=largest)
        weights = weigh(best, temperature if temperature_is is None else temperature_is)
        return end((weights[..., None] * labels[where]).sum(dim=1))

    return propagate_labels


def _softmax_first(features, known, labels, allowed, k=5, temperature=0.1):
    likeness = _cosine(features, known).masked_fill(~allowed, -torch.inf)
    weights, where = (likeness / temperature).softmax(dim=1).topk(k, dim=1)
    return (weights[..., None] * labels[where]).sum(dim=1)


def _all(features, known, labels, allowed, k=5, temperature=0.1):
    likeness = _cosine(features, known).masked_fill(~allowed, -torch.inf)
    return (likeness / temperature).softmax(dim=1) @ labels


PROPAGATE_LABELS = Exercise(
    name="propagate_labels",
    lesson="08b",
    minutes=12,
    difficulty="hard",
    reference=propagation.propagate_labels,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("dot product", _made(alike=lambda a, b: a @ b.T), "Long vectors win, whatever they point at. Divide each vector by its length first: `F.normalize(features, dim=1)`."),
        Mistake("one side normalised", _made(alike=lambda a, b: a @ F.normalize(b, dim=1).T), "Only the known patches have length 1, so the temperature means another thing for each patch. Normalise both sides."),
        Mistake("the other side normalised", _made(alike=lambda a, b: F.normalize(a, dim=1) @ b.T), "The known patches keep their lengths, and long ones win. Normalise both sides."),
        Mistake("normalised along the patches", _made(alike=lambda a, b: F.normalize(a, dim=0) @ F.normalize(b, dim=0).T), "You divide by a length taken over the *patches*. A vector is a row: `dim=1`."),
        Mistake("distance", _made(alike=lambda a, b: -torch.cdist(F.normalize(a, dim=1), F.normalize(b, dim=1))), "You weight by distance. Take the cosine."),
        Mistake("everybody is asked", _made(forbid=lambda likeness, allowed: likeness), "You ask patches that are not allowed. Give them a likeness of minus infinity before you choose."),
        Mistake("the forbidden are asked", _made(forbid=lambda likeness, allowed: likeness.masked_fill(allowed, -torch.inf)), "You ask exactly those that are *not* allowed: `masked_fill` fills where its mask is True, so turn it round."),
        Mistake("forbidden means 0", _made(forbid=lambda likeness, allowed: likeness * allowed), "A forbidden patch gets the likeness 0, and 0 is more than a negative cosine. Use minus infinity."),
        Mistake("the least alike", _made(largest=False, forbid=lambda likeness, allowed: likeness.masked_fill(~allowed, torch.inf)), "You ask those that look *least* alike. Take the largest cosines."),
        Mistake("only the nearest", _made(k_is=1), "You ask one patch only. `k` of them answer."),
        Mistake("always five", _made(k_is=5), "`k` is an argument: use the one that was given."),
        Mistake("all answer", _all, "All patches answer. Only the `k` most alike are asked."),
        Mistake("equal weights", _made(weigh=lambda best, temperature: torch.ones_like(best) / best.shape[1]), "The `k` count equally. The more alike one is, the more it counts: softmax."),
        Mistake("cosines as weights", _made(weigh=lambda best, temperature: best / best.sum(dim=1, keepdim=True)), "The cosines themselves are your weights. Use their softmax at the temperature."),
        Mistake("no temperature", _made(temperature_is=1.0), "The temperature is not used: divide the cosines by it before the softmax."),
        Mistake("always 0.1", _made(temperature_is=0.1), "The temperature is an argument: use the one that was given."),
        Mistake("times the temperature", _made(weigh=lambda best, temperature: (best * temperature).softmax(dim=1)), "You multiply by the temperature. A small one must make the answer sharper: divide."),
        Mistake("weights do not sum to 1", _softmax_first, "The softmax runs over all patches, so the weights of the chosen do not sum to 1. Choose first, then take the softmax."),
        Mistake("softmax over the patches", _made(weigh=lambda best, temperature: (best / temperature).softmax(dim=0)), "The softmax runs over the patches that ask. Each one's `k` answers sum to 1: `dim=1`."),
        Mistake("the winner only", _made(end=lambda out: F.one_hot(out.argmax(dim=1), out.shape[1]).float()), "You return the winner alone. Return the shares: what a patch is unsure of goes on to the next frame."),
    ],
    hints=[
        "Three steps: how alike are all pairs, who are the best k of each row, and what do they say, the more alike the louder.",
        "The cosines, with those that may not be asked out of the way:\n"
        "    likeness = F.normalize(features, dim=1) @ F.normalize(known, dim=1).T\n"
        "    likeness = likeness.masked_fill(~allowed, -torch.inf)",
        "The best of each row, their weights, and their labels, (P, k, C):\n"
        "    best, where = likeness.topk(k, dim=1)\n"
        "    weights = (best / temperature).softmax(dim=1)\n"
        "    weights[..., None] * labels[where]\n"
        "then the sum over the k.",
    ],
    equivalent={
        "likeness = F.normalize(features) @ F.normalize(known, dim=1).T": "rows are what `F.normalize` takes anyway",
        "likeness = F.normalize(features, dim=1) @ F.normalize(known).T": "rows are what `F.normalize` takes anyway",
        "best, where = likeness.topk(k)": "the last axis is the one that is searched anyway",
    },
    note="Rows of shares stay rows of shares: what comes out sums to 1 again, so it can be handed to the next frame.",
)  # fmt: skip
