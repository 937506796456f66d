"""Detections as COCO results: records with image_id, category_id, score and a box or a mask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvlab import _validate
from cvlab.boxes import xyxy_to_xywh
from cvlab.coco.columns import Records
from cvlab.coco.rle import mask_to_rle, rle_to_mask
from cvlab.coco.write import write_json

__all__ = ["from_results", "save_results", "to_results"]


def to_results(image_id: int, category_ids, scores, *, boxes=None, masks=None) -> list[dict]:
    """Write the detections of one picture as COCO results.

    Args:
        image_id: COCO's number of the picture.
        category_ids: N COCO ids (not positions among the classes).
        scores: (N,) in [0, 1].
        boxes: (N, 4) as x0, y0, x1, y1 in pixels, for a box evaluation.
        masks: (N, H, W) bool, for a mask evaluation; give one of the two, or both.

    Returns:
        N dicts.

    Example:
        >>> to_results(7, [17], [0.9], boxes=[[0, 0, 5, 4]])
        [{'image_id': 7, 'category_id': 17, 'score': 0.9, 'bbox': [0.0, 0.0, 5.0, 4.0]}]
    """
    if boxes is None and masks is None:
        raise ValueError("boxes or masks must be given; got neither")
    scores = _validate.floats(scores, "scores")
    _validate.as_many(category_ids, scores, "category_ids")
    found = [
        {"image_id": int(image_id), "category_id": int(c), "score": float(s)}
        for c, s in zip(category_ids, scores, strict=True)
    ]
    if boxes is not None:
        _validate.as_many(found, boxes := xyxy_to_xywh(boxes), "scores")
        found = [record | {"bbox": box} for record, box in zip(found, boxes.tolist(), strict=True)]
    if masks is not None:
        _validate.as_many(found, masks, "scores")
        found = [
            record | {"segmentation": mask_to_rle(mask)} for record, mask in zip(found, masks, strict=True)
        ]
    return found


def from_results(records: Sequence[dict]) -> np.ndarray:
    """Draw the masks of COCO results of one picture.

    Returns:
        (N, H, W) bool; (0, 0, 0) without results, which do not tell the size.
    """
    masks = []
    for i, record in enumerate(records):
        if "segmentation" not in record:
            raise ValueError(f"records[{i}] has no 'segmentation'; it has {', '.join(record)}")
        masks.append(rle_to_mask(record["segmentation"]))
        if masks[i].shape != masks[0].shape:
            raise ValueError(
                f"records[{i}]: size must be that of records[0], {list(masks[0].shape)}, as they are of one picture; "
                f"got {list(masks[i].shape)}"
            )
    return np.array(masks) if masks else np.zeros((0, 0, 0), bool)


def save_results(results: list[dict], path: str | Path) -> Path:
    """Write a COCO results file, whole or not at all, after looking at every record.

    Raises:
        ValueError: names the record and the field; then nothing is written.
    """
    if not isinstance(results, list):
        raise ValueError(f"results must be a list of detections; got a {type(results).__name__}")
    records = Records(results, "results")
    for field in ("image_id", "category_id"):
        records.whole(field)
    records.numbers("score")
    for i, record in enumerate(results):
        if "bbox" not in record and "segmentation" not in record:
            raise ValueError(f"results[{i}] has neither 'bbox' nor 'segmentation'")
    if all("bbox" in record for record in results):
        records.boxes()
    return write_json(results, path)
