"""Judging a network that was told nothing: a vote of labelled neighbours, and whether attention finds the thing."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from cvlab._validate import arguments, as_array, positive_int
from cvlab.dino.features import features_of
from cvlab.distillation.maps import PLACES, maps_of
from cvlab.world import pool
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

__all__ = ["Judged", "judged", "knn_accuracy", "labelled_drawings", "measure", "places", "ranked_iou"]


def _features(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a tensor; got {type(value).__name__}. torch.as_tensor(...) makes one"
        )
    if value.ndim != 2:
        slip = f". Maps? Pool them first: {name}.mean((2, 3))" if value.ndim == 4 else ""
        raise ValueError(f"{name} must have shape (N, D), a row a picture; got {tuple(value.shape)}{slip}")
    if not len(value):
        raise ValueError(f"{name} must have at least one picture; got shape {tuple(value.shape)}")
    bad = (~value.isfinite()).any(dim=1).nonzero()
    if len(bad):
        raise ValueError(f"{name} must be finite; row {bad[0].item()} is not. Did the training diverge?")
    return value


def _agree(bank, bank_labels, queries, labels, k):
    if bank.shape[1] != queries.shape[1]:
        raise ValueError(
            f"bank and queries must have as many numbers a picture; got {bank.shape[1]} and {queries.shape[1]}"
        )
    for rows, names, what in ((bank, bank_labels, "bank"), (queries, labels, "queries")):
        name = "bank_labels" if what == "bank" else "labels"
        if tuple(names.shape) != (len(rows),):
            raise ValueError(f"{name} must be ({len(rows)},), one a row of {what}; got {tuple(names.shape)}")
    if bank_labels.min() < 0:
        raise ValueError("bank_labels must be at least 0; got -1. Leave pictures without a group out")
    if k > len(bank):
        raise ValueError(f"k must be at most {len(bank)}, the pictures in the bank; got {k}")


@arguments(_agree, bank=_features, queries=_features, k=positive_int)
def knn_accuracy(
    bank: torch.Tensor, bank_labels: torch.Tensor, queries: torch.Tensor, labels: torch.Tensor, k: int = 20
) -> float:
    """Return the share of queries whose label wins the vote of their k nearest neighbours.

    Args:
        bank: (N, D) features of labelled pictures.
        bank_labels: (N,) int64, from 0.
        queries: (M, D) features of the judged pictures.
        labels: (M,) int64, what they show.
        k: how many neighbours vote, by cosine; each vote weighs exp(cosine / 0.07).

    Raises:
        TypeError, ValueError: for an empty bank, fewer than k pictures in it, labels of another number than the
            features, features that are not finite.

    Example:
        >>> bank = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> knn_accuracy(bank, torch.tensor([0, 1]), torch.tensor([[3.0, 1.0]]), torch.tensor([0]), k=2)
        1.0

    Source: Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018; as in DINO.
    """
    bank, queries = F.normalize(bank, dim=1), F.normalize(queries, dim=1)
    cosines, nearest = (queries @ bank.T).topk(k)  # (M, k) each
    votes = torch.zeros(len(queries), int(bank_labels.max()) + 1)
    votes.scatter_add_(1, bank_labels[nearest], (cosines / 0.07).exp())
    return (votes.argmax(dim=1) == labels).float().mean().item()


def places(masks: np.ndarray, side: int = PLACES) -> torch.Tensor:
    """Say which places of a grid a thing covers by more than half.

    Args:
        masks: (N, H, W) bool; `side` divides H and W.
        side: places each way.

    Returns:
        (N, side * side) bool, row by row.

    Example:
        >>> places(np.array([[[1, 1, 0, 0], [1, 0, 0, 0]]], bool), side=2)
        tensor([[ True, False, False, False]])
    """
    masks, side = as_array(masks, "masks"), positive_int(side, "side")
    if masks.ndim != 3 or masks.shape[1] % side or masks.shape[2] % side:
        raise ValueError(f"masks must be (N, H, W), H and W multiples of {side}; got {masks.shape}")
    n, h, w = masks.shape
    parts = masks.reshape(n, side, h // side, side, w // side)
    return torch.from_numpy((parts.mean(axis=(2, 4)) > 0.5).reshape(n, -1))


def ranked_iou(attention: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Score which places attention ranks first: as many as the thing has, so that no threshold is chosen.

    Args:
        attention: (N, P) how much each place is looked at; only the order counts, of equal ones the first.
        masks: (N, P) bool, the thing's places.

    Returns:
        (N,) IoU in [0, 1]; a picture whose mask has no place is left out.

    Example:
        >>> ranked_iou(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[True, False, True, False]])).round(decimals=3)
        tensor([0.3330])
    """
    if attention.ndim != 2 or attention.shape != masks.shape:
        raise ValueError(
            "attention and masks must both be (N, P), P places; "
            f"got {tuple(attention.shape)} and {tuple(masks.shape)}. "
            "Without the class token, one head or the mean of heads"
        )
    size = masks.sum(dim=1)
    rank = attention.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    chosen = rank < size[:, None]
    return ((chosen & masks).sum(dim=1) / (chosen | masks).sum(dim=1))[size > 0]


@dataclass(frozen=True)
class Judged:
    """What every network of lesson 08 is judged on.

    Attributes:
        bank: (929, 112, 12, 12) float16, maps of labelled pictures: learnt things, two styles.
        bank_labels: (929,) int64, which of `cvlab.world.pool.groups()`.
        bank_things: (929,) int64, which of `cvlab.world.pool.things()`.
        bank_images: (929, 64, 64, 3) uint8, the same pictures, small.
        queries: (127, 112, 12, 12) float16, maps of the judged pictures: held-out things, an unseen style, unseen photos.
        labels: (127,) int64.
        things: (127,) int64.
        images: (127, 192, 192, 3) uint8.
        masks: (127, 192, 192) bool, the thing's pixels.
    """

    bank: torch.Tensor
    bank_labels: torch.Tensor
    bank_things: np.ndarray
    bank_images: np.ndarray
    queries: torch.Tensor
    labels: torch.Tensor
    things: np.ndarray
    images: np.ndarray
    masks: np.ndarray

    def __repr__(self) -> str:
        return f"Judged({len(self.queries)} pictures against a bank of {len(self.bank)})"


def labelled_drawings() -> list[tuple[str, int]]:
    """List the drawings of the bank: (style, row) of things with a group, of two styles, no held-out thing.

    They are well mixed, so that the first few show all sorts of things.

    Example:
        >>> len(labelled_drawings())
        929
    """
    things, shown = pool.things(), {style: pool.sheet(style)[1] for style in ("noto", "noto2017")}
    labelled = [(s, i) for s, i in drawings_to_learn() if s in shown and things[shown[s][i]].group]
    return [labelled[i] for i in np.random.default_rng(0).permutation(len(labelled))]


@functools.cache
def judged() -> Judged:
    """Return the pictures that every network is judged on, with their maps; 10 to 15 seconds, once in a kernel.

    Example:
        >>> judged()  # doctest: +SKIP
        Judged(127 pictures against a bank of 929)
    """
    bank = make_moments(labelled_drawings(), seed=1)
    small = bank.images[0].reshape(-1, 64, 3, 64, 3, 3).mean(axis=(2, 4), dtype=np.float32)
    stored = (
        maps_of(bank.images[0]),
        torch.from_numpy(bank.groups),
        bank.things,
        small.round().astype(np.uint8),
    )
    asked = make_moments(drawings_to_judge(), split="test", seed=2)
    maps = maps_of(asked.images[0])
    return Judged(
        *stored, maps, torch.from_numpy(asked.groups), asked.things, asked.images[0], asked.masks[0]
    )


@torch.no_grad()
def measure(net, sets: Judged | None = None) -> dict[str, float]:
    """Judge a network on maps without training anything on it.

    Args:
        net: a `ViT`, from maps to features.
        sets: what to judge on; `judged()` if left out.

    Returns:
        "k-NN": share of pictures whose group is voted right; "IoU": of attention, the mean of the heads of the last
        layer; "best head": the IoU of the head that has the highest one.
    """
    sets, training = sets or judged(), net.training
    net.eval()
    parts = [features_of(net, maps, 128) for maps in (sets.bank, sets.queries)]
    looks = features_of(lambda x: net.attention(x)[:, :, 0, 1:], sets.queries)  # (N, heads, P)
    net.train(training)
    covered = places(sets.masks)
    heads = [ranked_iou(head, covered).mean().item() for head in looks.unbind(dim=1)]
    return {
        "k-NN": knn_accuracy(parts[0], sets.bank_labels, parts[1], sets.labels),
        "IoU": ranked_iou(looks.mean(dim=1), covered).mean().item(),
        "best head": max(heads),
    }
