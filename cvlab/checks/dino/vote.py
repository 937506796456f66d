"""The exercise of lesson 08b that judges features without training anything on them: a weighted vote."""

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.dino import judging

__all__ = ["KNN_ACCURACY"]


def _case(bank, bank_labels, queries, labels, k) -> Case:
    given = {"bank": bank, "bank_labels": bank_labels, "queries": queries, "labels": labels}
    words = "".join(f"{name}=torch.tensor({values}), " for name, values in given.items())
    tensors = {name: torch.tensor(values, dtype=torch.int64 if "labels" in name else torch.float32)
               for name, values in given.items()}  # fmt: skip
    return Case(**tensors, k=k).shown_as(f"knn_accuracy({words}k={k})")


def _cases() -> list[Case]:
    def at(*degrees):
        turned = torch.tensor(degrees).deg2rad()
        return torch.stack([turned.cos(), turned.sin()], 1).mul(100).round().div(100).tolist()

    dice = torch.Generator().manual_seed(3)
    stored, asked = (torch.randn(n, 3, generator=dice).mul(10).round().div(10).tolist() for n in (12, 10))
    named = [0, 1, 2, 1, 0, 2, 2, 0, 1, 1, 2, 0]
    return [
        _case([[1, 0], [0, 1]], [0, 1], [[0.2, 0.9]], [1], 1),
        _case([[1, 0], [0, 1]], [1, 0], [[0.2, 0.9], [0.9, 0.1], [1, 0.2], [0.1, 1]], [1, 1, 1, 0], 1),
        _case([[9, 9], [1, 0.1]], [2, 3], [[1, 0]], [3], 1),  # a long vector wins the bare product
        _case([[0.2, 0.01], [1, 0.8]], [4, 1], [[1.2, 0.1]], [4], 1),  # a short one is far off by distance
        _case(at(5, 60, 65), [1, 2, 2], [[1, 0]], [1], 3),  # one near vote outweighs two far ones
        _case(at(5, 35, 38, 40, 42), [1, 2, 2, 2, 2], [[0.2, 0]], [1], 5),  # a short query, as sure as a long one
        _case(at(10, 14, 16), [5, 2, 2], [[3, 0]], [2], 3),  # but not two that are nearly as near
        _case(at(10, 25, 26), [1, 2, 2], [[2, 0]], [1], 3),  # at twice the temperature it would not
        _case(at(5, 60, 10), [1, 1, 2], [[1, 0]], [1], 3),  # a far vote takes nothing away from its label
        _case(at(10, *[30] * 6, *[32] * 6), [1, *[2] * 12], [[1, 0]], [1], 2),  # many farther ones are not asked
        _case(at(10, *[30] * 6, *[32] * 6), [1, *[2] * 12], [[1, 0]], [2], 13),
        *(_case(stored, named, asked, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0], k) for k in (3, 5, 12)),
    ]  # fmt: skip


def _other(bank, bank_labels, queries, labels, k=20):
    """Query by query; a softmax weighs as the powers of e do."""
    right = 0
    for query, label in zip(queries, labels, strict=True):
        cosines = F.cosine_similarity(bank, query[None], dim=1)
        nearest = cosines.argsort(descending=True)[:k]
        weights = (cosines[nearest] / 0.07).softmax(0)
        named = bank_labels[nearest]
        right += (
            max(named.unique().tolist(), key=lambda name: weights[named == name].sum().item()) == label.item()
        )
    return right / len(queries)


def _cosine(bank, queries):
    return F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T


def _sum(near, named, count):
    return torch.zeros(len(named), count).scatter_add_(1, named, near)


def _mean(near, named, count):
    votes = _sum(torch.ones_like(near), named, count)
    return _sum(near, named, count) / votes.clamp(min=1)


def _share(said, labels):
    return (said == labels).float().mean().item()


def _made(*, like=_cosine, weight=lambda near: (near / 0.07).exp(), vote=_sum, end=_share, largest=True,
          k_is=lambda k, bank: k, names=lambda bank_labels: bank_labels):  # fmt: skip
    """Return a `knn_accuracy` that differs from the right one as the arguments say."""

    def knn_accuracy(bank, bank_labels, queries, labels, k=20):
        near, nearest = like(bank, queries).topk(k_is(k, bank), largest=largest)
        named = names(bank_labels)[nearest]
        votes = vote(weight(near), named, max(int(named.max()), int(bank_labels.max())) + 1)
        return end(votes.argmax(dim=1), labels)

    return knn_accuracy


def _centers(bank, bank_labels, queries, labels, k=20):
    classes, unit = bank_labels.unique(), F.normalize(bank, dim=1)
    centers = torch.stack([unit[bank_labels == label].mean(0) for label in classes])
    return _share(classes[_cosine(centers, queries).argmax(1)], labels)


def _averaged(bank, bank_labels, queries, labels, k=20):
    nearest = _cosine(bank, queries).topk(k).indices
    return _share(bank_labels[nearest].float().mean(1).round().long(), labels)


def _any(bank, bank_labels, queries, labels, k=20):
    nearest = _cosine(bank, queries).topk(k).indices
    return (bank_labels[nearest] == labels[:, None]).any(1).float().mean().item()


def _share_of_neighbours(bank, bank_labels, queries, labels, k=20):
    nearest = _cosine(bank, queries).topk(k).indices
    return (bank_labels[nearest] == labels[:, None]).float().mean().item()


KNN_ACCURACY = Exercise(
    name="knn_accuracy",
    lesson="08b",
    minutes=9,
    difficulty="medium",
    reference=judging.knn_accuracy,
    other=_other,
    cases=_cases,
    equivalent={
        "bank, queries = (F.normalize(bank), F.normalize(queries, dim=1))": "`dim=1` is what `F.normalize` does without being told",
        "bank, queries = (F.normalize(bank, dim=1), F.normalize(queries))": "`dim=1` is what `F.normalize` does without being told",
        "votes = torch.ones(len(queries), int(bank_labels.max()) + 1)": "every label gets as much more",
        "votes = torch.zeros(len(labels), int(bank_labels.max()) + 1)": "there are as many labels as queries",
        "votes = torch.zeros(len(queries), bank_labels.max() + 1)": "`torch.zeros` takes a tensor of one number, too",
        "votes = torch.zeros(len(queries), int(bank_labels.max()) + 2)": "nobody votes for the label that is too many",
    },
    mistakes=[
        Mistake("bare product", _made(like=lambda b, q: q @ b.T), "You compare by the bare product, in which a long vector wins everywhere. Bring both sides to length 1 first: `F.normalize(bank, dim=1)`."),
        Mistake("queries not normalised", _made(like=lambda b, q: q @ F.normalize(b, dim=1).T), "The queries keep their length: the order is right, the weights are not, since a long query makes every vote sharper. Bring them to length 1 too."),
        Mistake("distance", _made(like=lambda b, q: -torch.cdist(q, b)), "You order by distance: a short vector of the right direction is far off. The cosine is asked for: the product of vectors of length 1."),
        Mistake("columns at length one", _made(like=lambda b, q: F.normalize(q, dim=0) @ F.normalize(b, dim=0).T), "You normalise columns, one number over all pictures. A picture is a row: `dim=1`."),
        Mistake("one vote each", _made(weight=torch.ones_like), "Each neighbour has one vote in your answer. A near one counts more: its vote weighs `exp(cosine / 0.07)`."),
        Mistake("cosine as the weight", _made(weight=lambda near: near), "You add up the cosines themselves, which hardly differ. Each vote weighs `exp(cosine / 0.07)`."),
        Mistake("no temperature", _made(weight=torch.exp), "The temperature is missing: without it, the nearest weighs hardly more than the k-th. Take `exp(cosine / 0.07)`."),
        Mistake("temperature multiplied", _made(weight=lambda near: (near * 0.07).exp()), "You multiply by the temperature. Divide by it: a small temperature makes the votes differ more."),
        Mistake("weight of the distance", _made(weight=lambda near: ((1 - near) / 0.07).exp()), "Your weight grows with the distance. The nearest must weigh most: `exp(cosine / 0.07)`."),
        Mistake("mean of a class's votes", _made(vote=_mean), "You average the votes of a class, so that one lucky neighbour beats many. Add them up."),
        Mistake("farthest", _made(largest=False), "Those are the pictures that are least alike. The largest cosines are the nearest, and `topk` gives them."),
        Mistake("nearest only", _made(k_is=lambda k, bank: 1), "You ask the nearest picture only. The k nearest vote."),
        Mistake("everybody votes", _made(k_is=lambda k, bank: len(bank)), "The whole bank votes in your answer. Only the k nearest do: `topk(k)`."),
        Mistake("class centres", _centers, "You compare with each class's mean vector. That is another method, the nearest centroid; here single pictures vote."),
        Mistake("indices", _made(names=lambda names: torch.arange(len(names))), "You vote for places in the bank. Their labels are wanted: `bank_labels[nearest]`."),
        Mistake("average of the labels", _averaged, "You average the label numbers, but between bird and building lies no bug. Add up votes, label by label."),
        Mistake("any of the k", _any, "You count a query as right when any of its k neighbours is. The vote's winner alone is the answer."),
        Mistake("share of the neighbours", _share_of_neighbours, "You return how many of the neighbours have the right label. First they vote; then count the queries that win."),
        Mistake("errors", _made(end=lambda said, labels: 1 - _share(said, labels)), "You return the share of wrong answers. The accuracy is the share of right ones."),
        Mistake("count", _made(end=lambda said, labels: float((said == labels).sum())), "You return how many are right. Divide by the number of queries: `.float().mean()`."),
        Mistake("answers", _made(end=lambda said, labels: said), "You return the answers. Compare them with `labels`, and return the share that is right."),
    ],
    hints=[
        "Four steps: how alike is each query to each picture of the bank, which k are most alike, which label has the heaviest votes, how often is it the right one.",
        "Cosines come from one product of vectors of length 1, and `topk` gives values and places at once:\n"
        "    cosines, nearest = (queries @ bank.T).topk(k)",
        "A table with a column a label, into which every vote is added at its label:\n"
        "    votes = torch.zeros(len(queries), int(bank_labels.max()) + 1)\n"
        "    votes.scatter_add_(1, bank_labels[nearest], (cosines / 0.07).exp())",
    ],
    note="A vote at cosine 1 weighs 1.6 million times one at cosine 0.",
)  # fmt: skip
