"""COCO files in, checked arrays out: what is wrong is told by record and field before anything is computed."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from cvlab.coco import rle
from cvlab.coco.columns import MAX_PIXELS, MAX_SIDE, WHOLE, Records, in_file

__all__ = ["Results", "Truth", "load_json", "read_results", "read_truth"]


@dataclass(frozen=True)
class Truth:
    """The annotations of I images, K classes, G objects; images and classes sorted by id.

    Attributes:
        image_ids: (I,) int.
        sizes: (I, 2) int height and width, 0 where the file does not tell.
        category_ids: (K,) int.
        category_names: K texts.
        ids: (G,) int, the annotations' own ids.
        image: (G,) int, index into `image_ids`.
        category: (G,) int, index into `category_ids`.
        boxes: (G, 4) x, y, w, h in pixels.
        areas: (G,) in square pixels, as the file gives them.
        crowd: (G,) bool.
        segmentations: G polygons or run lengths, None where there are none.
    """

    image_ids: np.ndarray
    sizes: np.ndarray
    category_ids: np.ndarray
    category_names: tuple[str, ...]
    ids: np.ndarray
    image: np.ndarray
    category: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    segmentations: list


@dataclass(frozen=True)
class Results:
    """D detections on the images of a `Truth`, in the order of the file.

    Attributes:
        image: (D,) int, index into the truth's `image_ids`.
        category: (D,) int, index into its `category_ids`.
        boxes: (D, 4) x, y, w, h in pixels; zeros where a result has only a mask.
        areas: (D,) in square pixels: of the box, or of the mask where the first result has no box.
        scores: (D,).
        segmentations: D run lengths or polygons, None where there are none.
    """

    image: np.ndarray
    category: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    scores: np.ndarray
    segmentations: list


def load_json(source, name: str):
    """Return what a JSON file holds; anything that is not a path is returned as it is.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not whole JSON; says where it ends.
    """
    if not isinstance(source, str | Path):
        return source
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"{name}: there is no file {str(path)!r}")
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} must be whole JSON; {path.name}: {error}. Download cut short?") from error
    except RecursionError:
        raise ValueError(
            f"{name} must be JSON of a few levels; {path.name}: lists or dicts inside one another, too deep to be read"
        ) from None


def _parsed(text: str):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (
        ValueError
    ):  # a number of more than 4,300 digits: keep it, so that its record and field can be named
        return json.loads(
            text, parse_int=lambda digits: int(digits) if len(digits) < 4000 else Decimal(digits)
        )


def read_truth(source, *, kind: str = "bbox") -> Truth:
    """Read and check a COCO annotation file.

    Args:
        source: a path, or what the file holds: a dict with images, annotations, categories.
        kind: "bbox", or "segm" to demand a mask of every annotation, and to look at each.

    Raises:
        ValueError: names the file, the record and the field.

    Example:
        >>> truth = read_truth({"images": [{"id": 7}], "categories": [{"id": 1, "name": "cat"}], "annotations": []})
        >>> truth.image_ids.tolist(), truth.category_names
        ([7], ('cat',))
    """
    data = load_json(source, "truth")
    with in_file(source):
        return _truth(data, kind)


def _truth(data, kind: str) -> Truth:
    if not isinstance(data, dict):
        slip = ". A results file? It goes second" if isinstance(data, list) else ""
        raise ValueError(
            f"truth must be a dict with images, annotations, categories; got a {_kind(data)}{slip}"
        )
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise ValueError(f"truth must have a list {key!r}; got {_kind(data.get(key))}")
    images, categories, records = (Records(data[k], k) for k in ("images", "categories", "annotations"))
    ids, category_ids = images.unique_ids(), categories.unique_ids()
    sizes = _sizes(images, kind)
    order = np.argsort(ids)
    ids, sizes = ids[order], sizes[order]
    by_id = np.argsort(category_ids)
    names = _names(categories)
    image = records.index("image_id", ids, "images")
    boxes = records.boxes()
    _inside(records, boxes, sizes[image], margin=1)
    masks = [record.get("segmentation") for record in records.records]
    if kind == "segm":
        _look_at_masks(records, masks, sizes[image], rle.check_segmentation)
    return Truth(
        image_ids=ids,
        sizes=sizes,
        category_ids=category_ids[by_id],
        category_names=tuple(names[i] for i in by_id),
        ids=records.unique_ids(),
        image=image,
        category=records.index("category_id", category_ids[by_id], "categories"),
        boxes=boxes,
        areas=records.numbers("area", least=0),
        crowd=records.whole("iscrowd", 0, 1, absent=0, kinds=(*WHOLE, bool)).astype(bool),
        segmentations=masks,
    )


def read_results(source, truth: Truth, *, kind: str = "bbox") -> Results:
    """Read and check a COCO results file against its truth.

    Args:
        source: a path, or what the file holds: a list of dicts with image_id, category_id, score and bbox
            or segmentation.
        truth: what `read_truth` returned.
        kind: "bbox", or "segm" to demand a mask of every result, and to look at each.

    Raises:
        ValueError: names the file, the record and the field.
    """
    data = load_json(source, "results")
    with in_file(source):
        return _results(data, truth, kind)


def _results(data, truth: Truth, kind: str) -> Results:
    if not isinstance(data, list):
        slip = ". The annotation file? It goes first" if isinstance(data, dict) else ""
        raise ValueError(f"results must be a list of detections; got a {_kind(data)}{slip}")
    records = Records(data, "results")
    image = records.index("image_id", truth.image_ids, "the truth's images")
    category = records.index("category_id", truth.category_ids, "the truth's categories")
    scores, sizes = records.numbers("score"), truth.sizes[image]
    masks = [record.get("segmentation") for record in data]
    boxed = kind == "bbox" or (len(data) > 0 and "bbox" in data[0])
    boxes = records.boxes() if boxed else np.zeros((len(data), 4))
    if boxed:
        _inside(records, boxes, sizes, margin=None)
        _not_corners(records, boxes, sizes)
    areas = boxes[:, 2] * boxes[:, 3]
    if kind == "segm":
        look = rle.check_segmentation if boxed else rle.mask_area
        seen = _look_at_masks(records, masks, sizes, look)
        areas = areas if boxed else np.array(seen, dtype=float)
    return Results(image, category, boxes, areas, scores, masks)


def _kind(value) -> str:
    return "nothing" if value is None else type(value).__name__


def _sizes(images: Records, kind: str) -> np.ndarray:
    """Return (I, 2) height and width, 0 where an image has neither; masks need both."""
    absent = None if kind == "segm" else 0
    sizes = np.stack([images.whole(side, 1, MAX_SIDE, absent=absent) for side in ("height", "width")], axis=1)
    half = (sizes == 0).any(axis=1) & (sizes > 0).any(axis=1)
    if half.any():
        i = int(np.flatnonzero(half)[0])
        raise ValueError(f"{images.place(i)} must have 'height' and 'width', or neither; it has only one")
    large = sizes.prod(axis=1) > MAX_PIXELS
    if kind == "segm":
        images.refuse_any(large, "height", f"such that height x width is at most {MAX_PIXELS} pixels")
    return sizes


def _names(categories: Records) -> list[str]:
    """Return the categories' names; the id where there is none."""
    for i, record in enumerate(categories.records):
        if not isinstance(record.get("name", ""), str):
            categories.refuse(i, "name", "text")
    return [record.get("name", str(record["id"])) for record in categories.records]


def _inside(records: Records, boxes: np.ndarray, sizes: np.ndarray, margin: float | None) -> None:
    """Refuse boxes beyond the picture by more than `margin`; with None only those that do not touch it."""
    known = (sizes > 0).all(axis=1)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    limit = sizes[:, ::-1]  # width, height
    out = (low > limit) | (high < 0) if margin is None else (low < -margin) | (high > limit + margin)
    if (out & known[:, None]).any():
        bad = known & out.any(axis=1)
        height, width = sizes[np.flatnonzero(bad)[0]]
        wanted = f"x, y, w, h and {'touch' if margin is None else 'lie inside'} its picture, {width} wide and {height} high"
        records.refuse_any(bad, "bbox", wanted, ". Written as x0, y0, x1, y1?")


def _not_corners(records: Records, boxes: np.ndarray, sizes: np.ndarray) -> None:
    """Refuse results most of which end far outside their pictures: those are corners, not sizes."""
    out = (boxes[:, :2] + boxes[:, 2:] > 1.1 * sizes[:, ::-1]).any(axis=1) & (sizes > 0).all(axis=1)
    if len(boxes) >= 10 and out.mean() > 0.5:
        slip = f", which ends outside its picture, and so do {out.mean():.0%} of the boxes"
        slip += ". Written as x0, y0, x1, y1? boxes.xyxy_to_xywh converts them"
        records.refuse_any(out, "bbox", "x, y, w, h", slip)


def _look_at_masks(records: Records, masks: list, sizes: np.ndarray, look) -> list:
    """Call `look(mask, height, width)` for every mask; what it refuses is named by record."""
    seen = []
    for i, (mask, (height, width)) in enumerate(zip(masks, sizes.tolist(), strict=True)):
        if mask is None:
            raise ValueError(
                f"{records.place(i)} has no 'segmentation'; kind='segm' compares masks. kind='bbox'?"
            )
        try:
            seen.append(look(mask, height, width))
        except ValueError as error:
            raise ValueError(f"{records.place(i)}: segmentation: {error}") from error
    return seen
