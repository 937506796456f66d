"""Why is the mAP not higher? Every error gets a kind, every kind a price, every class its confusions."""

from dataclasses import dataclass, replace

import numpy as np

from cvlab import _validate
from cvlab.coco.read import Results, Truth, read_results, read_truth
from cvlab.map.coco_eval import MAX_DETS, region_iou
from cvlab.map.evaluate import evaluate
from cvlab.map.metrics import THRESHOLDS, match_image

__all__ = ["KINDS", "Labels", "confusion_matrix", "error_costs", "label_errors"]

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
_BACKGROUND = 0.1  # below this overlap a detection has nothing to do with a truth


@dataclass(frozen=True)
class Labels:
    """What became of every detection and every truth.

    Attributes:
        kinds: (D,) texts, in the order of the results: "right", "ignored" (on a crowd, or beyond the best 100
            of its class in its image), or one of `KINDS`.
        truths: (D,) int, the truth that a right detection got, or that a wrong one was closest to; -1 for none.
        missed: (G,) bool, truths that no detection came near, not even with a wrong class or a loose box.
    """

    kinds: np.ndarray
    truths: np.ndarray
    missed: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """How many errors of each kind."""
        found = {kind: int((self.kinds == kind).sum()) for kind in KINDS}
        return found | {"missed": int(self.missed.sum())}


def _read(truth, results) -> tuple[Truth, Results]:
    truth = truth if isinstance(truth, Truth) else read_truth(truth)
    return truth, results if isinstance(results, Results) else read_results(results, truth)


def _one_threshold(threshold: float) -> float:
    if not _BACKGROUND < threshold <= 1:
        raise ValueError(f"threshold must be above {_BACKGROUND} and at most 1; got {threshold}")
    return threshold


def label_errors(truth, results, *, threshold: float = 0.5) -> Labels:
    """Give every wrong detection a kind, in the manner of TIDE.

    | kind | overlap with a truth of its own class | with a truth of another class |
    |---|---|---|
    | duplicate | at least `threshold`, but the truth is taken | |
    | classification | | at least `threshold` |
    | localisation | from 0.1 up to `threshold` | |
    | both | | from 0.1 up to `threshold` |
    | background | below 0.1 | below 0.1 |

    Args:
        truth: COCO annotations: a path, their content, or a `Truth`.
        results: COCO results: a path, their content, or a `Results`; boxes.
        threshold: least overlap of a right detection.

    Returns:
        `Labels`; its `counts` say how many errors there are of each kind.

    Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020.
    """
    truth, results = _read(truth, results)
    _one_threshold(threshold)
    kinds = np.full(len(results.scores), "background", dtype="U14")
    nearest = np.full(len(kinds), -1)
    order = np.argsort(-results.scores, kind="stable")
    found = np.zeros(len(truth.ids), dtype=bool)
    by_image = _split(results.image[order], order), _split(truth.image, np.arange(len(truth.ids)))
    for image, d in by_image[0].items():
        g = by_image[1].get(image, np.zeros(0, int))
        ious = region_iou(truth, results, d, g, "bbox")  # (N, M), best score first
        kinds[d], nearest[d] = _label_image(
            ious, results.category[d], truth.category[g], truth.crowd[g], threshold
        )
        nearest[d] = np.where(nearest[d] >= 0, g[nearest[d]] if len(g) else -1, -1)
    for kind in ("right", "classification", "localisation"):
        found[nearest[kinds == kind]] = True
    return Labels(kinds, nearest, ~found & ~truth.crowd)


def _split(keys: np.ndarray, values: np.ndarray) -> dict[int, np.ndarray]:
    """Collect `values` by key, keeping their order."""
    order = np.argsort(keys, kind="stable")
    names, starts = np.unique(keys[order], return_index=True)
    return dict(zip(names.tolist(), np.split(values[order], starts[1:]), strict=True)) if len(keys) else {}


def _label_image(ious, classes, true_classes, crowd, threshold) -> tuple[np.ndarray, np.ndarray]:
    """Return kind (N,) and index of the truth meant (N,), -1 for none."""
    kinds, meant = np.full(len(ious), "background", dtype="U14"), np.full(len(ious), -1)
    same = classes[:, None] == true_classes[None, :]  # (N, M)
    for k in np.unique(classes):
        d, g = np.flatnonzero(classes == k), np.flatnonzero(true_classes == k)
        kinds[d[MAX_DETS:]] = "ignored"
        d = d[:MAX_DETS]
        matched = match_image(ious[np.ix_(d, g)], threshold, crowd[g], crowd[g])
        hit = matched >= 0
        kinds[d[hit]] = np.where(crowd[g[matched[hit]]], "ignored", "right")
        meant[d[hit]] = g[matched[hit]]
    own = np.where(same & ~crowd, ious, 0).max(axis=1, initial=0)  # (N,)
    other = np.where(~same & ~crowd, ious, 0).max(axis=1, initial=0)
    open_ = kinds == "background"
    rules = [  # the first that fits
        ("duplicate", own >= threshold, same),
        ("localisation", (own >= _BACKGROUND) & (other < threshold), same),
        ("classification", other >= threshold, ~same),
        ("both", other >= _BACKGROUND, ~same),
    ]
    for kind, fits, allowed in rules:
        d = np.flatnonzero(open_ & fits & (kinds == "background"))
        kinds[d] = kind
        if len(d):
            meant[d] = np.where(allowed[d] & ~crowd, ious[d], -1).argmax(axis=1)
    return kinds, meant


def error_costs(truth, results, *, thresholds=THRESHOLDS) -> dict[str, float]:
    """Say what each kind of error costs: how much the mAP would rise if only that kind were mended.

    Mending means: a classification error gets the right class, a localisation error the true box (of several on one
    truth only the best score stays, and none where the truth is found already); both, duplicate and background errors
    disappear; missed truths are no longer asked for.

    Args:
        truth: as for `label_errors`.
        results: likewise.
        thresholds: the errors are named, mended and priced at each of them, and the prices averaged.

    Returns:
        kind -> rise of the mAP; the prices do not add up to the whole, because the errors depend on each other.

    Source: Bolya et al., TIDE, section 2.3 (their default is the one threshold 0.5).
    """
    truth, results = _read(truth, results)
    columns = [int(np.flatnonzero(np.isclose(THRESHOLDS, t))[0]) for t in _grid(thresholds)]
    costs = dict.fromkeys(KINDS, 0.0)
    before = evaluate(truth, results).aps[0]  # (T, K)
    for t in columns:
        labels = label_errors(truth, results, threshold=THRESHOLDS[t])
        for kind in KINDS:
            mended = evaluate(*_mend(truth, results, labels, kind)).aps[0]
            costs[kind] += (_mean(mended[t]) - _mean(before[t])) / len(columns)
    return costs


def _grid(thresholds) -> np.ndarray:
    thresholds = np.atleast_1d(thresholds)
    known = np.isclose(thresholds[:, None], THRESHOLDS[None, :]).any(axis=1)
    if not len(thresholds) or not known.all():
        raise ValueError(
            f"thresholds must be among {THRESHOLDS.round(2).tolist()}; got {thresholds.tolist()}"
        )
    return thresholds


def _mean(aps: np.ndarray) -> float:
    return float(aps[aps > -1].mean()) if (aps > -1).any() else 0.0


def _mend(truth: Truth, results: Results, labels: Labels, kind: str) -> tuple[Truth, Results]:
    if kind == "missed":
        return _only(truth, ~labels.missed), results
    wrong = labels.kinds == kind
    if kind in ("classification", "localisation"):
        taken = set(labels.truths[labels.kinds == "right"].tolist())
        useful = []
        for d in np.flatnonzero(wrong)[np.argsort(-results.scores[wrong], kind="stable")]:
            if labels.truths[d] not in taken:
                taken.add(labels.truths[d])
                useful.append(d)
        category, boxes, areas = results.category.copy(), results.boxes.copy(), results.areas.copy()
        meant = labels.truths[useful]
        category[useful] = truth.category[meant]
        if kind == "localisation":
            boxes[useful], areas[useful] = truth.boxes[meant], truth.areas[meant]
        results = replace(results, category=category, boxes=boxes, areas=areas)
        wrong[useful] = False
    return truth, _only(results, ~wrong)


def _only(regions, keep: np.ndarray):
    """Return the chosen annotations or results; images and categories stay."""
    rows = ("ids", "image", "category", "boxes", "areas", "crowd", "scores")
    chosen = {name: getattr(regions, name)[keep] for name in rows if hasattr(regions, name)}
    return replace(regions, **chosen, segmentations=[regions.segmentations[i] for i in np.flatnonzero(keep)])


def confusion_matrix(truth, results, *, threshold: float = 0.5, score: float = 0.3) -> np.ndarray:
    """Count which class was taken for which, with a row and a column for "background".

    Args:
        truth: as for `label_errors`; crowds are left out.
        results: likewise.
        threshold: least overlap for a detection and a truth to be the same thing, whatever their classes.
        score: detections below it are left out. The matrix depends on it, unlike the AP.

    Returns:
        (K + 1, K + 1) int: row the true class, column the detected one. The last column counts truths that nothing
        found, the last row detections of nothing.
    """
    truth, results = _read(truth, results)
    _one_threshold(threshold)
    if not 0 <= _validate.floats(score, "score") <= 1:
        raise ValueError(f"score must be in [0, 1]; got {score}")
    none = len(truth.category_ids)
    matrix = np.zeros((none + 1, none + 1), dtype=int)
    real = np.flatnonzero(~truth.crowd)
    order = np.argsort(-results.scores, kind="stable")
    order = order[results.scores[order] >= score]
    detections, truths = _split(results.image[order], order), _split(truth.image[real], real)
    for image in sorted(detections.keys() | truths.keys()):
        d, g = (side.get(image, np.zeros(0, int)) for side in (detections, truths))
        nothing = np.zeros(len(g), dtype=bool)
        matched = match_image(region_iou(truth, results, d, g, "bbox"), threshold, nothing, nothing)
        rows = np.where(matched >= 0, truth.category[g[matched]] if len(g) else none, none)
        np.add.at(matrix, (rows, results.category[d]), 1)
        lost = np.setdiff1d(np.arange(len(g)), matched)
        np.add.at(matrix, (truth.category[g[lost]], none), 1)
    return matrix
