"""The evaluation of `cvlab.map.evaluate` on flat arrays: the same answer as the readable loops, much sooner.

Only detections and truths of one image and class that overlap by at least the lowest threshold can match, and such pairs
are few. Round r matches the r-th such detection of every image and class at once, for all thresholds and area ranges.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cvlab import _validate
from cvlab.coco.read import Results, Truth, read_results, read_truth
from cvlab.map.coco_eval import AREAS, MAX_DETS, SETTINGS, region_iou, summarize
from cvlab.map.metrics import THRESHOLDS

__all__ = ["Evaluation", "evaluate"]

_RANGES = np.array(list(AREAS.values()))  # (A, 2)
_LEAST = np.minimum(THRESHOLDS, 1 - 1e-10)  # (T,)
_LEVELS = np.linspace(0, 1, 101)
_CHUNK = 1 << 20  # pairs whose overlap is computed at once: bounds the memory


@dataclass
class _Pairs:
    """P pairs of a detection (position in the sorted list) and a truth that overlap, sorted by detection."""

    det: np.ndarray  # (P,)
    truth: np.ndarray  # (P,) index into the truth
    iou: np.ndarray  # (P,)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found: the twelve numbers, and the tables behind them.

    Attributes:
        kind: "bbox" or "segm".
        numbers: name -> number, in COCO's order.
        aps: (6, 10, K) average precision by setting, threshold, class; -1 where there is no truth. The last
            two settings, fewer detections, are for recall only: -1.
        recalls: (6, 10, K).
        class_names: K texts.
    """

    kind: str
    numbers: dict[str, float]
    aps: np.ndarray
    recalls: np.ndarray
    class_names: tuple[str, ...]

    @property
    def per_class(self) -> dict[str, float]:
        """AP of each class over the ten thresholds, -1 for a class without truths."""
        return dict(zip(self.class_names, self.aps[0].mean(axis=0).tolist(), strict=True))

    def __repr__(self) -> str:
        parts = [f"{name} {value:.3f}" for name, value in self.numbers.items()]
        return f"{self.kind}: {', '.join(parts[:6])}\n      {', '.join(parts[6:])}"


class _Queue(NamedTuple):
    """Detections and truths side by side: by class, then by image, detections with the best score first.

    Attributes:
        dets: (D,) which detections, at most 100 of a class in an image.
        rank: (D,) 0 for the best of its class in its image.
        group: (D,) one number for each class and image, rising.
        truths: (G,) which truths.
        group_of_truth: (G,) theirs, rising.
    """

    dets: np.ndarray
    rank: np.ndarray
    group: np.ndarray
    truths: np.ndarray
    group_of_truth: np.ndarray


class _Found(NamedTuple):
    """What became of the C detections that overlap anything, for T thresholds and A areas.

    Attributes:
        candidates: (C,) their places in the queue.
        right: (C, T, A) bool, on a truth of their own.
        ignored: (C, T, A) bool, on one that does not count.
    """

    candidates: np.ndarray
    right: np.ndarray
    ignored: np.ndarray


def evaluate(truth, results, *, kind: str = "bbox") -> Evaluation:
    """Judge detections against the truth as COCO does, fast.

    Args:
        truth: an annotation file's path, or its content, or a `Truth`.
        results: a results file's path, or its content (a list), or a `Results`.
        kind: "bbox" compares boxes, "segm" masks.

    Returns:
        The twelve numbers (equal to pycocotools' within 1e-12) and the tables behind them.

    Raises:
        ValueError: when a record is wrong; names it and the field.

    Example:
        >>> truth = {"images": [{"id": 1}], "categories": [{"id": 3, "name": "cat"}], "annotations": [
        ...     {"id": 1, "image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 40], "area": 1600}]}
        >>> results = [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 30], "score": 0.9}]
        >>> evaluate(truth, results)
        bbox: AP 0.600, AP50 1.000, AP75 1.000, APs -1.000, APm 0.600, APl -1.000
              AR1 0.600, AR10 0.600, AR100 0.600, ARs -1.000, ARm 0.600, ARl -1.000
    """
    _validate.one_of(kind, "kind", ("bbox", "segm"))
    truth = truth if isinstance(truth, Truth) else read_truth(truth, kind=kind)
    results = results if isinstance(results, Results) else read_results(results, truth, kind=kind)
    aps, recalls = _tables(truth, results, kind)
    return Evaluation(kind, summarize(aps, recalls), aps, recalls, truth.category_names)


def _tables(truth: Truth, results: Results, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return AP and recall, both (6, T, K), as `evaluate_tables` does; AP only where 100 detections count."""
    per_class = max(len(truth.image_ids), 1)
    group = results.category * per_class + results.image
    order = np.lexsort((-results.scores, group))  # stable: by class, by image, best score first
    rank = _place_in_run(group[order])
    dets, rank = order[rank < MAX_DETS], rank[rank < MAX_DETS]
    group_of_truth = truth.category * per_class + truth.image
    truths = np.argsort(group_of_truth, kind="stable")
    queue = _Queue(dets, rank, group[dets], truths, group_of_truth[truths])
    ignore = truth.crowd[:, None] | _outside(truth.areas)  # (G, A)
    found = _match(_pairs(truth, results, queue, kind), truth.crowd, ignore, queue.group)
    return _accumulate(truth, results, queue, ignore, found)


def _outside(areas: np.ndarray) -> np.ndarray:
    return (areas[:, None] < _RANGES[:, 0]) | (areas[:, None] > _RANGES[:, 1])  # (N, A)


def _starts(keys: np.ndarray) -> np.ndarray:
    """Where each run of equal keys begins; the keys are sorted."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])


def _place_in_run(keys: np.ndarray) -> np.ndarray:
    """Number the members of each run of equal keys from 0."""
    starts = _starts(keys)
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))


def _spread(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Concatenate the ranges first[i], first[i] + 1, ... of count[i] numbers each."""
    ends = np.cumsum(count)
    return np.repeat(first - ends + count, count) + np.arange(ends[-1] if len(ends) else 0)


def _pairs(truth, results, queue: _Queue, kind: str) -> _Pairs:
    """Find the pairs of one image and class that overlap enough for the lowest threshold."""
    first, end = (np.searchsorted(queue.group_of_truth, queue.group, side) for side in ("left", "right"))
    count = end - first
    rows = np.flatnonzero(count)
    parts = []
    for part in np.array_split(rows, max(1, -(-int(count.sum()) // _CHUNK))):
        if kind == "bbox":
            det = np.repeat(part, count[part])
            which = queue.truths[_spread(first[part], count[part])]
            iou = _box_iou(results.boxes[queue.dets[det]], truth.boxes[which], truth.crowd[which])
        else:
            det, which, iou = _mask_pairs(truth, results, queue, first, count, part)
        near = iou >= _LEAST[0]
        parts.append((det[near], which[near], iou[near]))
    return _Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _box_iou(d: np.ndarray, g: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """(P, 4) x, y, w, h against (P, 4), pair by pair; the order of the operations is that of pycocotools."""
    low, high = np.maximum(d[:, :2], g[:, :2]), np.minimum(d[:, :2] + d[:, 2:], g[:, :2] + g[:, 2:])
    inter = (high - low).clip(min=0).prod(axis=1)  # (P,)
    own = d[:, 2] * d[:, 3]
    union = np.where(crowd, own, own + g[:, 2] * g[:, 3] - inter)
    return np.divide(inter, union, out=np.zeros(len(d)), where=inter > 0)


def _mask_pairs(truth, results, queue: _Queue, first, count, rows):
    """Like the boxes, one image and class after the other: masks are too large for all at once."""
    starts, found = _starts(queue.group[rows]), []
    for start, stop in zip(starts, np.append(starts, len(rows))[1:], strict=True):
        det = rows[start:stop]
        which = queue.truths[first[det[0]] : first[det[0]] + count[det[0]]]
        iou = region_iou(truth, results, queue.dets[det], which, "segm")  # (N, M)
        found.append((np.repeat(det, len(which)), np.tile(which, len(det)), iou.ravel()))
    return (np.concatenate(c) for c in zip(*found, strict=True)) if found else (rows, rows, rows * 0.0)


def _match(pairs: _Pairs, crowd, ignore, group) -> _Found:
    """Match greedily: in each image and class the best score chooses first."""
    start = _starts(pairs.det)
    count = np.diff(np.append(start, len(pairs.det)))
    candidates = pairs.det[start]  # detections that overlap anything
    orders, keys = _preferences(pairs, ignore)
    taken = np.zeros((len(ignore), len(_LEAST), len(_RANGES)), dtype=bool)
    right, ignored = np.zeros((2, len(candidates), *taken.shape[1:]), dtype=bool)
    turn = _place_in_run(group[candidates])
    by_turn = np.argsort(turn, kind="stable")
    for now in np.split(by_turn, np.flatnonzero(np.diff(turn[by_turn])) + 1) if len(by_turn) else []:
        p = _spread(start[now], count[now])
        g = pairs.truth[p]
        free = ~taken[g] | crowd[g, None, None]  # (P, T, A): one truth once; a crowd takes any number
        free &= (pairs.iou[p, None] >= _LEAST)[:, :, None]
        liking = np.where(free, keys[p][:, None, :], -1)  # (P, T, A)
        best = np.maximum.reduceat(liking, np.cumsum(count[now]) - count[now], axis=0)  # (C, T, A)
        c, t, a = np.nonzero(best >= 0)
        chosen = pairs.truth[orders[start[now][c] + best[c, t, a], a]]
        taken[chosen, t, a] = right[now[c], t, a] = True
        ignored[now[c], t, a] = ignore[chosen, a]
    return _Found(candidates, right, ignored)


def _preferences(pairs: _Pairs, ignore: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the truths of every detection: those that count first, then by overlap; of equals the later one.

    Returns:
        (P, A) the pairs of each detection from least to most liked, and (P, A) the place of each pair in that.
    """
    orders, keys = np.empty((2, len(pairs.det), len(_RANGES)), dtype=int)
    for a in range(len(_RANGES)):
        orders[:, a] = np.lexsort((pairs.iou, ~ignore[pairs.truth, a], pairs.det))
        keys[orders[:, a], a] = _place_in_run(pairs.det)
    return orders, keys


def _accumulate(truth, results, queue: _Queue, ignore, found: _Found):
    dets, (candidates, right, ignored) = queue.dets, found
    classes = np.arange(len(truth.category_ids) + 1)
    bounds = np.searchsorted(results.category[dets], classes)
    of_candidates = np.searchsorted(candidates, bounds)
    aps, recalls = -np.ones((2, len(SETTINGS), len(_LEAST), len(classes) - 1))
    for k in classes[:-1]:
        n_truths = (~ignore[truth.category == k]).sum(axis=0)  # (A,)
        rows, some = slice(*bounds[k : k + 2]), slice(*of_candidates[k : k + 2])
        seen = np.repeat(~_outside(results.areas[dets[rows]])[:, None], len(_LEAST), axis=1)  # (N, T, A)
        hits = np.zeros(seen.shape, dtype=bool)
        here = candidates[some] - rows.start
        seen[here] = np.where(right[some], ~ignored[some], seen[here])
        hits[here] = right[some] & ~ignored[some]
        order = np.argsort(-results.scores[dets[rows]], kind="stable")
        for s, (area, max_dets) in enumerate(SETTINGS):
            a = list(AREAS).index(area)
            if n_truths[a]:
                kept = hits[queue.rank[rows] < max_dets, :, a]
                recalls[s, :, k] = kept.sum(axis=0) / n_truths[a]
                if max_dets == MAX_DETS:
                    aps[s, :, k] = _average_precisions(hits[order, :, a], seen[order, :, a], n_truths[a])
    return aps, recalls


def _average_precisions(hits: np.ndarray, seen: np.ndarray, n_truths: int) -> np.ndarray:
    """AP at every threshold from (N, T) bool; the envelope changes at right detections only."""
    # how many must be found for each level of recall, by the same division that makes the recall
    needed = np.searchsorted(np.arange(1, n_truths + 1) / n_truths, _LEVELS)
    counts = np.cumsum(seen, axis=0, dtype=np.int32)
    out = np.zeros(hits.shape[1])
    for t in range(hits.shape[1]):
        places = np.flatnonzero(hits[:, t])
        precision = np.arange(1, len(places) + 1) / counts[places, t]
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        out[t] = envelope[needed[needed < len(places)]].sum() / len(_LEVELS)
    return out
