"""COCO's evaluation: two files in, twelve numbers out. Once to be read, and once (`evaluate`) to be fast."""

from dataclasses import dataclass

import numpy as np

from cvlab import _validate
from cvlab.boxes import box_overlap, xywh_to_xyxy
from cvlab.coco.read import Results, Truth
from cvlab.map.metrics import THRESHOLDS, ap, match_image

__all__ = [
    "AREAS",
    "MAX_DETS",
    "NUMBERS",
    "SETTINGS",
    "Matchup",
    "coco_map",
    "evaluate_class",
    "evaluate_tables",
    "judge",
    "pair_up",
    "region_iou",
    "summarize",
]

AREAS = {"all": (0, 1e5**2), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e5**2)}
MAX_DETS = 100  # detections an image and class; those with the lowest scores beyond it are dropped
SETTINGS = [("all", 100), ("small", 100), ("medium", 100), ("large", 100), ("all", 1), ("all", 10)]
NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


@dataclass(frozen=True)
class Matchup:
    """One image and class: N detections, best score first, against M truths.

    Attributes:
        image: index of the image.
        scores: (N,).
        areas: (N,) of the detections, square pixels.
        ious: (N, M) overlaps; against a crowd, the share of the detection that lies in it.
        truth_areas: (M,) square pixels.
        crowd: (M,) bool.
    """

    image: int
    scores: np.ndarray
    areas: np.ndarray
    ious: np.ndarray
    truth_areas: np.ndarray
    crowd: np.ndarray


def _images(value, name: str):
    if not isinstance(value, list | tuple):
        slip = f". One image? Pass [{name}]" if isinstance(value, dict) else ""
        raise TypeError(f"{name} must be a list with one dict an image; got {type(value).__name__}{slip}")
    for i, image in enumerate(value):
        if not isinstance(image, dict):
            got = type(image).__name__
            raise TypeError(f"{name}[{i}] must be a dict: class -> (scores, ious); got {got}")
        for key, pair in image.items():
            if len(pair) != 2 or np.ndim(pair[1]) != 2:
                raise ValueError(f"{name}[{i}][{key!r}] must be (scores, ious), with ious of shape (N, M)")
    return value


@_validate.arguments(images=_images)
def coco_map(images: list[dict]) -> float:
    """Mean average precision over COCO's ten thresholds and all classes that have a truth.

    Boxes are matched image by image; then the detections of a class in all images share one curve. Unlike
    `evaluate`, it knows no crowds and no sizes, and drops no detection beyond the hundredth of an image.

    Args:
        images: for each image a dict, class -> (scores, ious); scores (N,), ious (N, M), M truths of that class.

    Returns:
        a float in [0, 1]; -1 when no class has a truth.

    Example:
        >>> found, missed = (np.array([0.9]), np.array([[0.72]])), (np.zeros(0), np.zeros((0, 1)))
        >>> coco_map([{"cat": found}]), round(coco_map([{"cat": found}, {"cat": missed}]), 3)
        (0.5, 0.252)

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and pycocotools.
    """
    from cvlab.map import metrics

    values = []
    for name in sorted(set().union(*images)):
        found = [image[name] for image in images if name in image]  # (scores, ious) of each image
        n_truths = sum(ious.shape[1] for _, ious in found)
        if n_truths == 0:
            continue  # an absent class has no average precision
        scores = np.concatenate([s for s, _ in found])
        for threshold in np.linspace(0.5, 0.95, 10):
            correct = np.concatenate([metrics.match_detections(s, ious, threshold) for s, ious in found])
            precision, recall = metrics.pr_curve(scores, correct, n_truths)
            values.append(metrics.average_precision(precision, recall))
    return float(np.mean(values)) if values else -1.0


def region_iou(truth: Truth, results: Results, d: np.ndarray, g: np.ndarray, kind: str) -> np.ndarray:
    """Overlaps of detections `d` with truths `g` of one image: (N, M), a crowd's as share of the detection."""
    if len(d) == 0 or len(g) == 0:
        return np.zeros((len(d), len(g)))
    if kind == "segm":
        size = truth.sizes[truth.image[g[0]]]
        ours, theirs = _masks(results, d, size), _masks(truth, g, size)  # (N, H * W), (M, H * W)
        inter, own, other = ours @ theirs.T, ours.sum(axis=1), theirs.sum(axis=1)
    else:
        inter = box_overlap(xywh_to_xyxy(results.boxes[d]), xywh_to_xyxy(truth.boxes[g]))
        own, other = (b[:, 2] * b[:, 3] for b in (results.boxes[d], truth.boxes[g]))
    union = np.where(truth.crowd[g], own[:, None], own[:, None] + other[None, :] - inter)
    return np.divide(inter, union, out=np.zeros(inter.shape), where=inter > 0)


def _masks(regions: Truth | Results, which: np.ndarray, size) -> np.ndarray:
    from cvlab.coco.rle import segmentation_to_mask

    height, width = (int(side) for side in size)
    flat = np.zeros((len(which), height * width))
    for row, i in enumerate(which):
        try:
            mask = segmentation_to_mask(regions.segmentations[i], height, width)
            flat[row] = mask.ravel(order="F")  # as it lies in memory
        except ValueError as error:
            where = "annotations" if isinstance(regions, Truth) else "results"
            raise ValueError(f"{where}[{i}]: segmentation: {error}") from error
    return flat


def pair_up(truth: Truth, results: Results, kind: str = "bbox") -> list[list[Matchup]]:
    """Bring together what belongs together: for every class, one `Matchup` an image that has any of it."""
    groups = {}
    for side, regions in enumerate((results, truth)):
        for i, key in enumerate(zip(regions.category.tolist(), regions.image.tolist(), strict=True)):
            groups.setdefault(key, ([], []))[side].append(i)
    classes = [[] for _ in truth.category_ids]
    for (category, image), (d, g) in sorted(groups.items()):
        d, g = np.array(d, dtype=int), np.array(g, dtype=int)
        d = d[np.argsort(-results.scores[d], kind="stable")][:MAX_DETS]
        ious = region_iou(truth, results, d, g, kind)
        classes[category].append(
            Matchup(image, results.scores[d], results.areas[d], ious, truth.areas[g], truth.crowd[g])
        )
    return classes


def judge(matchup, threshold, area_range):
    """Say of each detection whether it is right and whether it counts, and how many truths count.

    Args:
        matchup: one image and class, a `Matchup`.
        threshold: least overlap of a match.
        area_range: (least, most) square pixels, both included.

    Returns:
        right (N,) bool, counted (N,) bool, number of truths that count.

    Source: `COCOeval.evaluateImg` in pycocotools.
    """
    low, high = area_range
    ignore = matchup.crowd | (matchup.truth_areas < low) | (matchup.truth_areas > high)  # (M,)
    matched = match_image(matchup.ious, threshold, matchup.crowd, ignore)  # (N,)
    right = matched >= 0
    counted = (matchup.areas >= low) & (matchup.areas <= high)  # if it matched nothing
    counted[right] = ~ignore[matched[right]]
    return right, counted, int((~ignore).sum())


def evaluate_class(matchups, threshold, area_range, max_dets):
    """Average precision and final recall of one class over all its images; (-1, -1) when it has no truth.

    Args:
        matchups: one `Matchup` an image, sorted by image.
        threshold: least overlap of a match.
        area_range: (least, most) square pixels.
        max_dets: detections kept an image, best scores first.

    Source: `COCOeval.accumulate` in pycocotools.
    """
    judged = [judge(matchup, threshold, area_range) for matchup in matchups]
    n_truths = sum(count for _, _, count in judged)
    if n_truths == 0:
        return -1.0, -1.0  # absent: no AP, not an AP of 0
    scores = np.concatenate([matchup.scores[:max_dets] for matchup in matchups])
    right = np.concatenate([right[:max_dets] for right, _, _ in judged])
    counted = np.concatenate([counted[:max_dets] for _, counted, _ in judged])
    order = np.argsort(
        -scores, kind="stable"
    )  # equal scores: the earlier image, then the earlier line of the file
    tp, seen = np.cumsum((right & counted)[order]), np.cumsum(counted[order])
    precision, recall = tp / np.maximum(seen, 1), tp / n_truths
    return ap(precision, recall, "coco"), float(recall[-1]) if len(recall) else 0.0


def evaluate_tables(classes):
    """AP and recall for every setting (area range and max detections), threshold and class.

    Args:
        classes: for each class its list of `Matchup`, as `pair_up` returns them.

    Returns:
        aps and recalls, both (6, 10, K), in the order of `SETTINGS`; -1 where there is no truth.
    """
    aps, recalls = -np.ones((2, len(SETTINGS), len(THRESHOLDS), len(classes)))
    for s, (area, max_dets) in enumerate(SETTINGS):
        for t, threshold in enumerate(THRESHOLDS):
            for k, matchups in enumerate(classes):
                aps[s, t, k], recalls[s, t, k] = evaluate_class(matchups, threshold, AREAS[area], max_dets)
    return aps, recalls


def summarize(aps, recalls):
    """The twelve numbers, by name, in COCO's order; -1 where nothing could be measured.

    Args:
        aps: (6, 10, K) as `evaluate_tables` returns them.
        recalls: likewise.
    """

    def mean(table):
        return float(table[table > -1].mean()) if (table > -1).any() else -1.0

    of_ap = [aps[0], aps[0, 0], aps[0, 5], aps[1], aps[2], aps[3]]  # all, at 0.50, at 0.75, by size
    of_ar = [recalls[s] for s in (4, 5, 0, 1, 2, 3)]  # 1, 10, 100 detections, by size
    return dict(zip(NUMBERS, map(mean, of_ap + of_ar), strict=True))
