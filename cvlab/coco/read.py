"""COCO files in, checked arrays out: what is wrong is told by record and field before anything is computed."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} must be whole JSON; {path.name}: {error}. Download cut short?") from error


def read_truth(source, *, kind: str = "bbox") -> Truth:
    """Read and check a COCO annotation file.

    Args:
        source: a path, or what the file holds: a dict with images, annotations, categories.
        kind: "bbox", or "segm" to demand a mask of every annotation.

    Raises:
        ValueError: names the record and the field.

    Example:
        >>> truth = read_truth({"images": [{"id": 7}], "categories": [{"id": 1, "name": "cat"}], "annotations": []})
        >>> truth.image_ids.tolist(), truth.category_names
        ([7], ('cat',))
    """
    data = load_json(source, "truth")
    if not isinstance(data, dict):
        slip = ". A results file? It goes second" if isinstance(data, list) else ""
        raise ValueError(
            f"truth must be a dict with images, annotations, categories; got a {_kind(data)}{slip}"
        )
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise ValueError(f"truth must have a list {key!r}; got {_kind(data.get(key))}")
    images, categories, records = data["images"], data["categories"], data["annotations"]
    image_ids, image_order = _unique_ids(images, "images")
    category_ids, category_order = _unique_ids(categories, "categories")
    sizes = np.array([[images[i].get("height", 0), images[i].get("width", 0)] for i in image_order])
    sizes = sizes.astype(int).reshape(-1, 2)
    image = _index(records, "annotations", "image_id", image_ids, "images")
    boxes = _boxes(records, "annotations")
    _inside(boxes, sizes[image], "annotations", margin=1)
    areas = _numbers(records, "annotations", "area")
    _refuse(areas < 0, areas, "annotations", "area", "at least 0")
    masks = [record.get("segmentation") for record in records]
    if kind == "segm":
        _need_masks(masks, "annotations")
    ids = _whole(records, "annotations", "id")
    _no_duplicates(ids, "annotations")
    return Truth(
        image_ids,
        sizes,
        category_ids,
        tuple(str(categories[i].get("name", categories[i]["id"])) for i in category_order),
        ids,
        image,
        _index(records, "annotations", "category_id", category_ids, "categories"),
        boxes,
        areas,
        np.array([bool(record.get("iscrowd", 0)) for record in records], dtype=bool),
        masks,
    )


def read_results(source, truth: Truth, *, kind: str = "bbox") -> Results:
    """Read and check a COCO results file against its truth.

    Args:
        source: a path, or what the file holds: a list of dicts with image_id, category_id, score and bbox
            or segmentation.
        truth: what `read_truth` returned.
        kind: "bbox", or "segm" to demand a mask of every result.

    Raises:
        ValueError: names the record and the field.
    """
    records = load_json(source, "results")
    if not isinstance(records, list):
        slip = ". The annotation file? It goes first" if isinstance(records, dict) else ""
        raise ValueError(f"results must be a list of detections; got a {_kind(records)}{slip}")
    image = _index(records, "results", "image_id", truth.image_ids, "the truth's images")
    category = _index(records, "results", "category_id", truth.category_ids, "the truth's categories")
    scores = _numbers(records, "results", "score")
    masks = [record.get("segmentation") for record in records]
    if kind == "segm":
        _need_masks(masks, "results")
    if kind == "bbox" or (records and records[0].get("bbox")):
        boxes = _boxes(records, "results")
        _inside(boxes, truth.sizes[image], "results", margin=None)
        _not_corners(boxes, truth.sizes[image])
        return Results(image, category, boxes, boxes[:, 2] * boxes[:, 3], scores, masks)
    return Results(
        image, category, np.zeros((len(records), 4)), _mask_areas(masks, truth, image), scores, masks
    )


def _kind(value) -> str:
    return "nothing" if value is None else type(value).__name__


def _column(records: list, where: str, field: str) -> list:
    try:
        return [record[field] for record in records]
    except (KeyError, TypeError):
        for i, record in enumerate(records):
            if not isinstance(record, dict):
                raise ValueError(f"{where}[{i}] must be a dict; got a {_kind(record)}") from None
            if field not in record:
                has = ", ".join(map(str, record)) or "nothing"
                raise ValueError(f"{where}[{i}] has no {field!r}; it has {has}") from None
        raise


def _array(values: list, where: str, field: str, width: int | None, wanted: str) -> np.ndarray:
    """Make floats (N,) or (N, width) of a column; the first value that does not fit is named."""
    shape = (len(values),) if width is None else (len(values), width)
    try:
        array = np.array(values, dtype=float).reshape(shape) if not values else np.array(values, dtype=float)
        if array.shape == shape and np.isfinite(array).all():
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    for i, value in enumerate(values):
        try:
            good = np.shape(value) == shape[1:] and np.isfinite(np.array(value, dtype=float)).all()
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            raise ValueError(f"{where}[{i}]: {field} must be {wanted}; got {value!r}")
    raise ValueError(f"{where}: {field} must be {wanted} everywhere")


def _numbers(records: list, where: str, field: str) -> np.ndarray:
    return _array(_column(records, where, field), where, field, None, "a finite number")


def _whole(records: list, where: str, field: str) -> np.ndarray:
    values = _column(records, where, field)
    array = np.array(values) if values else np.zeros(0, int)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        i = next(
            i for i, v in enumerate(values) if not isinstance(v, int | np.integer) or isinstance(v, bool)
        )
        raise ValueError(f"{where}[{i}]: {field} must be a whole number; got {values[i]!r}")
    return array.astype(np.int64)


def _unique_ids(records: list, where: str) -> tuple[np.ndarray, np.ndarray]:
    ids = _whole(records, where, "id")
    _no_duplicates(ids, where)
    order = np.argsort(ids, kind="stable")
    return ids[order], order


def _no_duplicates(ids: np.ndarray, where: str) -> None:
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise ValueError(f"{where}[{second}]: id {ids[second]} is already the id of {where}[{first}]")


def _index(records: list, where: str, field: str, known: np.ndarray, of: str) -> np.ndarray:
    ids = _whole(records, where, field)
    place = np.searchsorted(known, ids)
    bad = place >= len(known)
    bad[~bad] = known[place[~bad]] != ids[~bad]
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{where}[{i}]: {field} {ids[i]} is not among {of} ({len(known)} ids)")
    return place


def _boxes(records: list, where: str) -> np.ndarray:
    boxes = _array(_column(records, where, "bbox"), where, "bbox", 4, "four finite numbers x, y, w, h")
    negative = (boxes[:, 2:] < 0).any(axis=1)
    _refuse(negative, boxes, where, "bbox", "x, y, w, h with w and h of at least 0")
    return boxes


def _inside(boxes: np.ndarray, sizes: np.ndarray, where: str, margin: float | None) -> None:
    """Refuse boxes beyond the picture by more than `margin`; with None only those that do not touch it."""
    known = (sizes > 0).all(axis=1)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    limit = sizes[:, ::-1]  # width, height
    out = (low > limit) | (high < 0) if margin is None else (low < -margin) | (high > limit + margin)
    bad = known & out.any(axis=1)
    if bad.any():
        height, width = sizes[np.flatnonzero(bad)[0]]
        what = "touch" if margin is None else "lie inside"
        _refuse(
            bad, boxes, where, "bbox", f"x, y, w, h and {what} its picture, {width} wide and {height} high"
        )


def _not_corners(boxes: np.ndarray, sizes: np.ndarray) -> None:
    """Refuse results most of which end far outside their pictures: those are corners, not sizes."""
    out = (boxes[:, :2] + boxes[:, 2:] > 1.1 * sizes[:, ::-1]).any(axis=1) & (sizes > 0).all(axis=1)
    if len(boxes) >= 10 and out.mean() > 0.5:
        i = int(np.flatnonzero(out)[0])
        raise ValueError(
            f"results[{i}]: bbox must be x, y, w, h; got {boxes[i].tolist()}, which ends outside its picture, and so do "
            f"{out.mean():.0%} of the boxes. Written as x0, y0, x1, y1? boxes.xyxy_to_xywh converts them"
        )


def _refuse(bad: np.ndarray, values: np.ndarray, where: str, field: str, wanted: str) -> None:
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        slip = ". Written as x0, y0, x1, y1?" if field == "bbox" else ""
        raise ValueError(f"{where}[{i}]: {field} must be {wanted}; got {values[i].tolist()}{slip}")


def _need_masks(masks: list, where: str) -> None:
    bad = next((i for i, mask in enumerate(masks) if not mask), None)
    if bad is not None:
        raise ValueError(f"{where}[{bad}] has no 'segmentation'; kind='segm' compares masks. kind='bbox'?")


def _mask_areas(masks: list, truth: Truth, image: np.ndarray) -> np.ndarray:
    from cvlab.coco.rle import segmentation_to_mask

    areas = np.zeros(len(masks))
    for i, mask in enumerate(masks):
        try:
            areas[i] = segmentation_to_mask(mask, *truth.sizes[image[i]]).sum()
        except ValueError as error:
            raise ValueError(f"results[{i}]: segmentation: {error}") from error
    return areas
