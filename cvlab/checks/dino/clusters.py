"""The exercise of lesson 08b that matches clusters with groups: cluster_accuracy."""

import itertools

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.dino import clusters as package

__all__ = ["CLUSTER_ACCURACY"]


def _apply(function, clusters, groups):
    return function(clusters, groups)


def _case(clusters, groups) -> Case:
    text = f"cluster_accuracy(torch.tensor({clusters}), torch.tensor({groups}))"
    return Case(clusters=torch.tensor(clusters), groups=torch.tensor(groups)).shown_as(text)


def _random(count: int, clusters: int, groups: int, seed: int) -> Case:
    dice = torch.Generator().manual_seed(seed)
    said, true = (
        torch.randint(clusters, (count,), generator=dice),
        torch.randint(groups, (count,), generator=dice),
    )
    text = f"cluster_accuracy(clusters, groups)  # {count} pictures, {clusters} clusters, {groups} groups"
    return Case(clusters=said, groups=true).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case([0], [0]),
        _case([0, 0, 1], [1, 1, 0]),  # other numbers, the same clusters
        _case([0, 0, 1, 1], [0, 0, 0, 1]),
        _case([0, 0, 1, 1], [0, 0, 0, 0]),  # one group only
        _case([0, 1, 2, 2], [0, 0, 1, 1]),  # more clusters than groups
        _case([0, 0, 0, 1, 1], [0, 1, 2, 2, 2]),  # more groups than clusters
        _case([0] * 8 + [1] * 4, [0] * 5 + [1] * 3 + [0] * 4),  # the largest count first is not best
        _case([0] * 5 + [1] * 4, [0] * 3 + [1] * 2 + [0] * 4),
        _case([2, 2, 0, 0], [1, 1, 3, 3]),  # numbers that nobody has
        _random(40, 4, 4, seed=0),
        _random(60, 6, 3, seed=1),
        _random(60, 3, 6, seed=2),
    ]


def _other(clusters, groups):
    """Try every way to pair them, each with one of the other at most."""
    names, words = clusters.unique().tolist(), groups.unique().tolist()
    swap = len(names) > len(words)
    few, many = (words, names) if swap else (names, words)
    best = 0
    for chosen in itertools.permutations(many, len(few)):
        pairs = zip(chosen, few, strict=True) if swap else zip(few, chosen, strict=True)
        best = max(best, sum(int(((clusters == c) & (groups == g)).sum()) for c, g in pairs))
    return best / len(groups)


def _table(clusters, groups):
    return package.contingency(clusters, groups).numpy()


def _matched(end, sign=1):
    """Return a `cluster_accuracy` that differs in what it makes of the matching."""

    def cluster_accuracy(clusters, groups):
        table = _table(clusters, groups)
        return end(table, *linear_sum_assignment(sign * table, maximize=True))

    return cluster_accuracy


def _greedy(clusters, groups):
    table, right = _table(clusters, groups), 0
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(table.argmax(), table.shape)
        right += table[row, column]
        table[row], table[:, column] = 0, 0
    return float(right / len(groups))


def _in_order(clusters, groups):
    """Each cluster takes its commonest group of those that are left, the first cluster first."""
    table, right = _table(clusters, groups), 0
    for row in table[: table.shape[1]]:
        right += row.max()
        table[:, row.argmax()] = 0
    return float(right / len(groups))


CLUSTER_ACCURACY = Exercise(
    name="cluster_accuracy",
    lesson="08b",
    minutes=8,
    difficulty="medium",
    reference=package.cluster_accuracy,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-6,
    mistakes=[
        Mistake("numbers compared", lambda clusters, groups: float((clusters == groups).float().mean()), "You compare the numbers. A cluster's number means nothing: match clusters with groups first."),
        Mistake("purity", package.purity, "Each of your clusters takes its commonest group, and several take the same. That is purity: match one with one."),
        Mistake("each group's best cluster", lambda clusters, groups: package.purity(groups, clusters), "Each group takes its best cluster, and several take the same. Match one with one."),
        Mistake("the worst matching", _matched(lambda table, r, c: float(table[r, c].sum() / table.sum()), -1), "You found the *worst* matching: `linear_sum_assignment` looks for the smallest sum. Say `maximize=True`."),
        Mistake("the largest first", _greedy, "You take the largest count first, then the largest that is left. A large one can stand in the way of two others: `linear_sum_assignment` weighs them all."),
        Mistake("the first cluster first", _in_order, "Your first cluster chooses first, the others take what is left. All choose at once: `linear_sum_assignment`."),
        Mistake("a count", _matched(lambda table, r, c: float(table[r, c].sum())), "You return how many pictures are matched. Divide by the number of all pictures."),
        Mistake("of the matched clusters only", _matched(lambda table, r, c: float(table[r, c].sum() / table[r].sum())), "You divide by the pictures of matched clusters. Those of a cluster without a group count as wrong: divide by all."),
        Mistake("of the matched groups only", _matched(lambda table, r, c: float(table[r, c].sum() / table[:, c].sum())), "You divide by the pictures of matched groups. Those of a group without a cluster count as wrong: divide by all."),
        Mistake("mean over clusters", _matched(lambda table, r, c: float((table[r, c] / table[r].sum(1).clip(1)).mean())), "You average over clusters, so that a cluster of one picture counts as much as one of a hundred. Count pictures."),
        Mistake("the matched pairs counted", _matched(lambda table, r, c: float((table[r, c] > 0).sum() / len(r))), "You count matched pairs. Count the pictures in them."),
        Mistake("the whole columns", _matched(lambda table, r, c: float(table[:, c].sum() / table.sum())), "You add up whole columns. Of each pair only one cell counts: `table[rows, columns]`."),
    ],
    hints=[
        "By hand: a table with a row for each cluster and a column for each group. Mark one cell in each row and column, so that the marked sum is largest.",
        "Count every pair, then ask for the best cells:\n"
        "    for cluster, group in zip(clusters, groups):\n"
        "        table[cluster, group] += 1\n"
        "    rows, columns = linear_sum_assignment(table, maximize=True)",
        "The matched pictures, as a share of all:\n"
        "    return float(table[rows, columns].sum()) / len(groups)",
    ],
    equivalent={
        "table = torch.zeros(clusters.max() + 1, int(groups.max()) + 1)": "a tensor of one whole number is a size, too",
        "table = torch.zeros(int(clusters.max()) + 1, groups.max() + 1)": "a tensor of one whole number is a size, too",
        "table = torch.zeros(int(clusters.max()) + 2, int(groups.max()) + 1)": "a cluster without pictures adds nothing to a matching",
        "table = torch.zeros(int(clusters.max()) + 1, int(groups.max()) + 2)": "a group without pictures adds nothing to a matching",
        "table[cluster - 1, group] += 1": "cluster 0 becomes the last one: the numbers of clusters mean nothing",
        "table[cluster, group - 1] += 1": "group 0 becomes the last one: the numbers of groups mean nothing",
        "return int(table[rows, columns].sum()) / len(groups)": "a count is whole, as float or int",
        "return float(table[rows, columns].sum()) / len(clusters)": "both have one number for each picture",
    },
    note="It is the accuracy of the kindest naming of your clusters, so it is never below that of any other naming, one to one.",
)  # fmt: skip
