"""The exercise of lesson 04 that trains nothing: a vote of the nearest pictures."""

from collections import Counter

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.transfer_learning import neighbours

__all__ = ["KNN_PREDICT"]


def _case(features, labels, queries, k) -> Case:
    text = f"knn_predict(torch.tensor({features}), torch.tensor({labels}), torch.tensor({queries}), k={k})"
    features, queries = (torch.tensor(rows, dtype=torch.float32) for rows in (features, queries))
    return Case(features=features, labels=torch.tensor(labels), queries=queries, k=k).shown_as(text)


def _cases() -> list[Case]:
    def around(*degrees):  # pictures at these angles from the query (1, 0)
        turned = torch.tensor(degrees).deg2rad()
        return torch.stack([turned.cos(), turned.sin()], 1).mul(100).round().div(100).tolist()

    dice = torch.Generator().manual_seed(1)
    stored, asked = (torch.randn(n, 3, generator=dice).mul(10).round().div(10).tolist() for n in (9, 4))
    return [
        _case([[1, 0], [0, 1]], [3, 8], [[0.2, 0.9]], 1),
        _case([[9, 9], [1, 0.1]], [2, 5], [[1, 0]], 1),  # a long vector wins the bare product
        _case([[0.2, 0.01], [1, 0.8]], [4, 6], [[1.2, 0.1]], 1),  # a short one is far off by distance
        _case(around(5, 70, 75), [1, 6, 6], [[1, 0]], 3),  # two far ones outvote a near one
        _case(around(10, 20), [9, 4], [[2, 0]], 2),  # one vote each
        _case(
            around(5, 10, 15, 20, 25), [3, 7, 7, 2, 2], [[1, 0]], 5
        ),  # the nearest of all has one vote only
        _case(around(40, 30, 20, 10), [5, 2, 2, 5], [[3, 0], [0, 3]], 4),
        _case(stored, [4, 9, 4, 2, 9, 2, 4, 9, 2], asked, 3),
        _case(stored, [4, 9, 4, 2, 9, 2, 4, 9, 2], asked, 9),
    ]


def _other(features, labels, queries, k=5):
    """At unit length the distance orders as the cosine does; `Counter` keeps the first of equal counts."""
    far = torch.cdist(F.normalize(queries, dim=1), F.normalize(features, dim=1))
    answers = []
    for distances in far:
        votes = labels[distances.argsort(stable=True)[:k]].tolist()
        answers.append(Counter(votes).most_common(1)[0][0])
    return torch.tensor(answers)


def _cosine(features, queries):
    return F.normalize(queries, dim=1) @ F.normalize(features, dim=1).T


def _vote(votes):
    """Return the winners of (M, k) votes, the nearest first."""
    winner = (votes[:, :, None] == votes[:, None, :]).sum(2).argmax(1)
    return votes[torch.arange(len(votes)), winner]


def _smallest(votes):
    return votes.mode(dim=1).values


def _nearest_of_all(votes):
    """Give a tie to the nearest of all, even where its class has fewer votes."""
    counts = (votes[:, :, None] == votes[:, None, :]).sum(2)
    most = counts == counts.max(1, keepdim=True).values
    classes = [len(set(row[keep].tolist())) for row, keep in zip(votes, most, strict=True)]
    return torch.where(torch.tensor(classes) > 1, votes[:, 0], _vote(votes))


def _weighted(features, labels, queries, k=5):
    near = _cosine(features, queries).topk(k)
    rows = zip(labels[near.indices].tolist(), near.values.tolist(), strict=True)
    totals = [Counter() for _ in queries]
    for total, (votes, weights) in zip(totals, rows, strict=True):
        for vote, weight in zip(votes, weights, strict=True):
            total[vote] += weight
    return torch.tensor([total.most_common(1)[0][0] for total in totals])


def _centre(features, labels, queries, k=5):
    classes, unit = labels.unique(), F.normalize(features, dim=1)
    centres = torch.stack([unit[labels == label].mean(0) for label in classes])
    return classes[_cosine(centres, queries).argmax(1)]


def _made(*, near=_cosine, descending=True, votes=slice(None), vote=_vote, limit=True):
    """Return a `knn_predict` that differs from the right one as the arguments say."""

    def knn_predict(features, labels, queries, k=5):
        order = near(features, queries).argsort(dim=1, descending=descending, stable=True)
        chosen = labels[order[:, :k] if limit else order]
        return vote(chosen[:, votes])

    return knn_predict


def _indices(features, labels, queries, k=5):
    nearest = _cosine(features, queries).topk(k).indices
    winner = (labels[nearest][:, :, None] == labels[nearest][:, None, :]).sum(2).argmax(1)
    return nearest[torch.arange(len(nearest)), winner]


KNN_PREDICT = Exercise(
    name="knn_predict",
    lesson="04",
    minutes=9,
    difficulty="medium",
    reference=neighbours.knn_predict,
    other=_other,
    cases=_cases,
    equivalent={
        "stored = torch.nn.functional.normalize(features)": "`dim=1` is what `F.normalize` does without being told",
        "cosines = torch.nn.functional.normalize(queries) @ stored.T": "`dim=1` is what `F.normalize` does without being told",
        "cosines = queries @ stored.T": "a query's length changes all its products alike, and no order",
        "nearest = cosines.argsort(descending=True, stable=True)": "the last of two axes is axis 1",
        "nearest = cosines.argsort(dim=1, descending=True)": "no two cosines are equal",
        "nearest = cosines.argsort(dim=1, descending=True, stable=False)": "no two cosines are equal",
        "winner = same.sum(1).argmax(1)": "a vote that equals another is equalled by it",
    },
    mistakes=[
        Mistake("bare product", _made(near=lambda f, q: q @ f.T), "You compare by the bare product, in which a long vector wins everywhere. Bring both sides to length 1 first: `F.normalize(features, dim=1)`."),
        Mistake("distance", _made(near=lambda f, q: -torch.cdist(q, f)), "You order by distance: a short vector of the right direction is far off. The cosine is asked for: the product of vectors of length 1."),
        Mistake("columns at length one", _made(near=lambda f, q: F.normalize(q, dim=0) @ F.normalize(f, dim=0).T), "You normalise columns, one number over all pictures. A picture is a row: `dim=1`."),
        Mistake("farthest", _made(descending=False), "Those are the pictures that are least alike. The largest cosine is the nearest: `descending=True`."),
        Mistake("nearest only", _made(votes=slice(0, 1)), "You ask the nearest picture only. The k nearest vote, and the class with most votes wins."),
        Mistake("everybody votes", _made(limit=False), "All stored pictures vote in your answer. Only the first k of the order do: `nearest[:, :k]`."),
        Mistake("the nearest left out", _made(votes=slice(1, None), vote=lambda v: _vote(v) if v.shape[1] else torch.zeros(len(v), dtype=torch.int64)), "The nearest picture has no vote in your answer. It may be left out only where the query itself is stored, which it is not here."),
        Mistake("tie to the smallest", _made(vote=_smallest), "In a tie you take the smallest class number, as `torch.mode` and `bincount` do. Of the tied classes, the one whose picture is nearest wins."),
        Mistake("tie to the nearest of all", _made(vote=_nearest_of_all), "In a tie you take the nearest picture of all, even if its class has fewer votes. Only the tied classes stand: the nearest one among those wins."),
        Mistake("tie to the farthest", _made(vote=lambda v: _vote(v.flip(1))), "In a tie you take the class whose picture is farthest. Go through the votes from the nearest on."),
        Mistake("weighted votes", _weighted, "You add up cosines, so that a near picture counts more. Here each of the k has one vote."),
        Mistake("class centres", _centre, "You compare with each class's mean vector. That is another method, the nearest centroid; here single pictures vote."),
        Mistake("indices", _indices, "You return the places of the nearest pictures. Their classes are wanted: `labels[nearest]`."),
        Mistake("mean of the labels", _made(vote=lambda v: v.float().mean(1).round().long()), "You average the class numbers, but between cat and dog lies no deer. Count votes instead."),
        Mistake("all votes", _made(vote=lambda v: v), "You return all k votes of each query. One class a query: the one with most votes."),
    ],
    hints=[
        "Three steps: how alike is each query to each stored picture, which k are most alike, which class do they name most often.",
        "Cosines come from one product:\n    cosines = F.normalize(queries, dim=1) @ F.normalize(features, dim=1).T\n`argsort(dim=1, descending=True)` puts the nearest first, and `labels[nearest[:, :k]]` are their votes.",
        "Compare each vote with each other one, and count. The first of those with most votes is the nearest one's:\n"
        "    same = votes[:, :, None] == votes[:, None, :]\n"
        "    winner = same.sum(2).argmax(1)\n"
        "    return votes[torch.arange(len(votes)), winner]",
    ],
    note="With k = 1 a single mislabelled picture answers wrongly for all its neighbourhood.",
)  # fmt: skip
