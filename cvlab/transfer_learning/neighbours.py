"""Answers from stored features: nearest neighbours, which train nothing, and the linear probe beside them."""

import functools

import numpy as np
import torch
import torch.nn.functional as F

from cvlab._validate import arguments, positive_int
from cvlab.store.records import training_record
from cvlab.transfer_learning.linear import linear_probe

__all__ = ["few", "knn_curve", "knn_predict", "probe", "record"]


def _rows(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        slip = f": torch.from_numpy({name})" if isinstance(value, np.ndarray) else ""
        raise TypeError(f"{name} must be a tensor; got {type(value).__name__}{slip}")
    if value.ndim != 2:
        slip = f". One picture? {name}[None]" if value.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (N, D); got {tuple(value.shape)}{slip}")
    if not torch.isfinite(value).all():
        bad = (~torch.isfinite(value)).any(1).nonzero()[0].item()
        raise ValueError(f"{name} must be finite; row {bad} holds NaN or infinity")
    return value


def _agree(features, labels, queries, k):
    if not isinstance(labels, torch.Tensor) or labels.is_floating_point():
        raise TypeError("labels must be a tensor of whole numbers: torch.from_numpy(labels)")
    if labels.shape != (len(features),):
        raise ValueError(
            f"labels must be ({len(features)},), one for each picture; got {tuple(labels.shape)}"
        )
    if features.shape[1] != queries.shape[1]:
        raise ValueError(
            f"queries must have {features.shape[1]} numbers a picture, as features do; got {queries.shape[1]}. "
            "Of another level?"
        )
    if k > len(features):
        raise ValueError(f"k must be at most {len(features)}, the number of stored pictures; got {k}")


@arguments(_agree, features=_rows, queries=_rows, k=positive_int)
def knn_predict(
    features: torch.Tensor, labels: torch.Tensor, queries: torch.Tensor, k: int = 5
) -> torch.Tensor:
    """Name each query by a vote of its k nearest stored pictures, by cosine; a tie goes to the nearest one's class.

    Args:
        features: (N, D) float, the stored pictures' features, of any length.
        labels: (N,) int64, their classes.
        queries: (M, D) float.
        k: how many vote, 1 to N.

    Returns:
        (M,) int64 classes. Where classes have equally many votes, that one of them wins whose picture is nearest.

    Example:
        >>> stored = torch.tensor([[1.0, 0], [0.8, 0.6], [0, 1]])
        >>> knn_predict(stored, torch.tensor([7, 4, 4]), torch.tensor([[5.0, 0.1]]), k=3)
        tensor([4])

    Source: Fix and Hodges, Discriminatory Analysis, 1951; Cover and Hart, Nearest Neighbor Pattern Classification, 1967.
    """
    stored = torch.nn.functional.normalize(features, dim=1)
    cosines = torch.nn.functional.normalize(queries, dim=1) @ stored.T  # (M, N)
    nearest = cosines.argsort(dim=1, descending=True, stable=True)
    votes = labels[nearest[:, :k]]  # (M, k), the nearest first
    same = votes[:, :, None] == votes[:, None, :]  # (M, k, k)
    winner = same.sum(2).argmax(1)  # the first of those with most
    return votes[torch.arange(len(votes)), winner]


def probe(features: torch.Tensor, labels: torch.Tensor, queries: torch.Tensor, C: float = 10) -> torch.Tensor:  # noqa: N803
    """Name queries by a linear classifier, trained on the stored features at unit length.

    Args:
        features, labels, queries: as for `knn_predict`.
        C: as for `linear_probe`.

    Returns:
        (M,) int64 classes.

    Raises:
        ValueError: the labels are all of one class: there is nothing to tell apart.

    Example:
        >>> stored = torch.tensor([[1.0, 0], [0.8, 0.6], [0, 1]])
        >>> probe(stored, torch.tensor([7, 4, 4]), torch.tensor([[5.0, 0.1]]), C=100)
        tensor([7])
    """
    names, places = labels.unique(return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"labels must hold at least two classes; got only {names.tolist()}")
    fitted = linear_probe(F.normalize(features, dim=1), places, C)
    return names[fitted(F.normalize(queries, dim=1)).argmax(dim=1)]


def few(labels: torch.Tensor, n: int, seed: int = 0) -> torch.Tensor:
    """Return the places of n pictures of each class, drawn by lot.

    Raises:
        ValueError: a class has fewer than n, or n is 0; the class is named.

    Example:
        >>> few(torch.tensor([0, 1, 1, 0, 1]), 2).shape
        torch.Size([4])
    """
    n, dice = positive_int(n, "n"), np.random.default_rng(seed)
    chosen = []
    for label in labels.unique().tolist():
        places = np.flatnonzero(labels.numpy() == label)
        if len(places) < n:
            raise ValueError(f"n must be at most {len(places)}, all there is of class {label}; got {n}")
        chosen.append(dice.permutation(places)[:n])
    return torch.from_numpy(np.concatenate(chosen))


def knn_curve(
    stored: dict, judged: dict, shots: tuple[int, ...], seeds: tuple[int, ...] = (0, 1, 2), k: int = 5
) -> dict:
    """Return the accuracy of `knn_predict` and of `probe` by the number of stored pictures a class.

    Args:
        stored: "features" (N, D) and "labels" (N,), from which the pictures are drawn.
        judged: name -> (features, labels) to judge by, such as "seen" and "test".
        shots: pictures a class.
        seeds: one draw of the pictures each.
        k: how many vote, where there are as many pictures.

    Returns:
        "k-NN" and "probe" -> name -> shots, as text -> one share from 0 to 1 for each seed.

    Example:
        >>> x, y = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> knn_curve({"features": x, "labels": y}, {"same": (x, y)}, (2,), (0,), k=1)
        {'k-NN': {'same': {'2': [1.0]}}, 'probe': {'same': {'2': [1.0]}}}
    """
    found = {way: {name: {str(n): [] for n in shots} for name in judged} for way in ("k-NN", "probe")}
    for n in shots:
        for seed in seeds:
            rows = few(stored["labels"], n, seed)
            x, y = stored["features"][rows], stored["labels"][rows]
            for name, (queries, truth) in judged.items():
                for way, said in (
                    ("k-NN", knn_predict(x, y, queries, min(k, n))),
                    ("probe", probe(x, y, queries)),
                ):
                    found[way][name][str(n)].append(round((said == truth).float().mean().item(), 4))
    return found


@functools.cache
def record() -> dict:
    """Return what `data/make_features.py` measured: "neighbours" as `knn_curve` does, and "levels".

    "levels": how the pictures were made -> pictures a class -> how features were scaled -> level -> split -> accuracies.

    Example:
        >>> record()["neighbours"]["probe"]["seen"].keys()
        dict_keys(['32', '64', '128'])
    """
    return training_record("features.json")
