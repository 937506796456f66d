"""Detectors that make realistic errors on purpose: seeded, so that what an error costs can be measured."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cvlab.boxes import box_iou, xywh_to_xyxy
from cvlab.coco.categories import CATEGORIES
from cvlab.coco.rle import mask_to_rle, segmentation_to_mask

__all__ = ["DETECTORS", "Habits", "detect", "recorded"]

_GROUP = {category["id"]: category["supercategory"] for category in CATEGORIES}


@dataclass(frozen=True)
class Habits:
    """How a detector errs.

    Attributes:
        jitter: how far each edge of a box is off, as a share of its side (standard deviation).
        loose: probability of a box that is far off.
        miss: probability of missing an object in full view; hidden and small ones are missed more.
        duplicate: probability of a second box on the same object.
        confuse: probability of another class of the same supercategory.
        ghost: boxes on the background, on average an image.
        noise: how badly the scores rank the detections (standard deviation).
        boast: added to every score before it is squeezed into [0, 1]: above 0 is overconfident.
    """

    jitter: float = 0.05
    loose: float = 0.05
    miss: float = 0.1
    duplicate: float = 0.05
    confuse: float = 0.05
    ghost: float = 0.5
    noise: float = 0.5
    boast: float = 0.0


DETECTORS = {
    "A": Habits(jitter=0.03, loose=0.06, miss=0.1, duplicate=0.05, confuse=0.07, ghost=0.5, noise=0.8),
    "B": Habits(
        jitter=0.07, loose=0.12, miss=0.04, duplicate=0.18, confuse=0.05, ghost=1.0, noise=0.8, boast=1.2
    ),
}


class _Sight(NamedTuple):
    """What a detector believes to see: `box` is x, y, width, height; a ghost has no annotation."""

    category: int
    box: np.ndarray
    annotation: dict | None
    quality: float


def recorded(name: str):
    """Return the recorded files by name: "truth", "A", "B" (boxes), "A masks".

    Example:
        >>> truth = recorded("truth")
        >>> sorted(recorded("A")[0]), len(truth["images"])
        (['bbox', 'category_id', 'image_id', 'score'], 120)
    """
    from cvlab._validate import one_of
    from cvlab.coco.read import load_json
    from cvlab.settings import data_dir

    files = {"truth": "scenes", "A": "detector_a", "B": "detector_b", "A masks": "detector_a_masks"}
    one_of(name, "name", tuple(files))
    return load_json(data_dir() / "annotations" / f"{files[name]}.json", name)


def detect(truth: dict, habits: Habits, *, seed: int = 0, masks: bool = False) -> list[dict]:
    """Look at every image of a COCO truth with a detector's habits.

    Args:
        truth: COCO annotations; images need height and width.
        habits: how it errs.
        seed: another seed, other errors of the same kind.
        masks: return masks (run lengths) instead of boxes: the object's own, moved as its box was.

    Returns:
        COCO results, image after image, scores in [0, 1] with three decimals.

    Example:
        >>> perfect = Habits(jitter=0, loose=0, miss=0, duplicate=0, confuse=0, ghost=0)
        >>> len(detect(recorded("truth"), perfect)) == len(recorded("truth")["annotations"])
        True
    """
    by_image = {}
    for annotation in truth["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    results = []
    for image in truth["images"]:
        rng = np.random.default_rng([seed, image["id"]])  # an image's errors do not depend on the others
        found = [
            box
            for annotation in by_image.get(image["id"], [])
            for box in _looks(annotation, habits, truth["categories"], rng)
        ]
        for _ in range(rng.poisson(habits.ghost)):
            found.append(_ghost(image, truth["categories"], rng))
        results += [record for box in found if (record := _record(box, image, habits, rng, masks))]
    return results


def _looks(annotation: dict, habits: Habits, categories: list[dict], rng) -> list[_Sight]:
    """Return what is seen of one object: nothing, one box, two."""
    hidden = 1 - annotation.get("visibility", 1.0)
    small = 1.5 if annotation["area"] < 32**2 else 1.0
    if rng.random() < min(0.95, habits.miss * small + 0.25 * habits.miss * hidden / 0.3):
        return []
    category = annotation["category_id"]
    if rng.random() < habits.confuse:
        others = [c["id"] for c in categories if c["id"] != category]
        alike = [c for c in others if _GROUP.get(c) == _GROUP.get(category)] or others or [category]
        category = int(rng.choice(alike))
    spread = 0.22 if rng.random() < habits.loose else habits.jitter
    seen = [_moved(annotation["bbox"], spread, rng)]
    if rng.random() < habits.duplicate:
        seen.append(_moved(annotation["bbox"], max(0.12, habits.jitter), rng))
    overlaps = box_iou(xywh_to_xyxy(np.array(seen)), xywh_to_xyxy([annotation["bbox"]]))[:, 0]
    doubt = 0.4 * hidden + 0.5 * (category != annotation["category_id"])
    return [
        _Sight(category, box, annotation, 4 * overlap - 1.6 - doubt - 0.8 * i)
        for i, (box, overlap) in enumerate(zip(seen, overlaps, strict=True))
    ]


def _moved(bbox: list[float], spread: float, rng) -> np.ndarray:
    """Move each of the four edges by `spread` of the box's side."""
    x, y, w, h = bbox
    x0, x1 = x + w * rng.normal(0, spread), x + w + w * rng.normal(0, spread)
    y0, y1 = y + h * rng.normal(0, spread), y + h + h * rng.normal(0, spread)
    return np.array([min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)])


def _ghost(image: dict, categories: list[dict], rng) -> _Sight:
    height, width = image["height"], image["width"]
    side = rng.uniform(0.15, 0.5, 2) * [width, height]
    box = np.concatenate([rng.uniform(0, [width, height] - side), side])
    return _Sight(int(rng.choice([c["id"] for c in categories])), box, None, rng.normal(-0.4, 0.8))


def _record(found: _Sight, image: dict, habits: Habits, rng, masks: bool) -> dict | None:
    box = found.box
    score = 1 / (1 + np.exp(-(found.quality + habits.boast + rng.normal(0, habits.noise))))
    low = np.maximum(box[:2], 0).round(1)
    high = np.minimum(box[:2] + box[2:], [image["width"], image["height"]]).round(1)
    if (high - low < 2).any():
        return None  # nothing left of it in the picture
    record = {"image_id": image["id"], "category_id": found.category, "score": round(float(score), 3)}
    if not masks:
        return record | {"bbox": [round(float(v), 1) for v in (*low, *(high - low))]}
    mask = _mask(np.concatenate([low, high]), found.annotation, image)
    return record | {"segmentation": mask_to_rle(mask)} if mask.any() else None


def _mask(corners: np.ndarray, annotation: dict | None, image: dict) -> np.ndarray:
    """Stretch the object's own mask from its box to the detected one; a ghost is an ellipse."""
    height, width = image["height"], image["width"]
    x0, y0, x1, y1 = corners
    x, y = (
        (np.arange(width) + 0.5 - x0) / (x1 - x0),
        (np.arange(height) + 0.5 - y0) / (y1 - y0),
    )  # 0 to 1 in the box
    inside = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))[None, :]  # (H, W)
    if annotation is None:
        return inside & ((y[:, None] - 0.5) ** 2 + (x[None, :] - 0.5) ** 2 < 0.25)
    own = segmentation_to_mask(annotation["segmentation"], height, width)
    left, top, w, h = annotation["bbox"]
    rows = np.clip(top + y * h, 0, height - 1).astype(int)
    cols = np.clip(left + x * w, 0, width - 1).astype(int)
    return inside & own[rows[:, None], cols[None, :]]
