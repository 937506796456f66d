"""Judge detections of painted scenes: what a detector answers, as torchvision writes it, against the scenes' own truth."""

from collections.abc import Sequence

import numpy as np

from cvlab import _validate
from cvlab.coco.categories import category_id
from cvlab.coco.results import to_results
from cvlab.coco.write import to_coco
from cvlab.map.evaluate import Evaluation, evaluate
from cvlab.world.scenes import Scene

__all__ = ["judge"]


def judge(scenes: Sequence[Scene], found: Sequence[dict], *, kind: str = "bbox") -> Evaluation:
    """Return COCO's twelve numbers of the detections in scenes.

    Args:
        scenes: what was looked at; they share their `class_names`.
        found: one dict a scene, arrays or tensors: "boxes" (N, 4) as x0, y0, x1, y1 in the scene's pixels, "scores"
            (N,) in [0, 1], "labels" (N,) places in `class_names`; for kind "segm" also "masks" (N, H, W) bool.
        kind: "bbox" or "segm".

    Raises:
        ValueError: one dict a scene is not there, a label is no class, or a box or score is wrong; says which.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> scenes = make_scenes(2, size=192)
        >>> perfect = [{"boxes": s.boxes, "labels": s.labels, "scores": [1.0] * len(s.labels)} for s in scenes]
        >>> judge(scenes, perfect).numbers["AP"]
        1.0
    """
    _validate.one_of(kind, "kind", ("bbox", "segm"))
    if len(found) != len(scenes):
        raise ValueError(f"found must hold one dict a scene, {len(scenes)}; got {len(found)}")
    results = []
    for i, (scene, one) in enumerate(zip(scenes, found, strict=True)):
        needed = {"boxes", "scores", "labels"} | ({"masks"} if kind == "segm" else set())
        if missing := sorted(needed - set(one)):
            raise ValueError(
                f"found[{i}] must have {', '.join(sorted(needed))}; it lacks {', '.join(missing)}"
            )
        labels = np.asarray(one["labels"], np.int64)
        bad = np.flatnonzero((labels < 0) | (labels >= len(scene.class_names)))
        if len(bad):
            raise ValueError(
                f"found[{i}]['labels'] must be 0 to {len(scene.class_names) - 1}, places in class_names; got "
                f"{labels[bad[0]]}. Is 0 the background? Then subtract 1"
            )
        numbers = [category_id(scene.class_names[label]) for label in labels]
        masks = {"masks": np.asarray(one["masks"], bool)} if kind == "segm" else {}
        boxes = np.asarray(one["boxes"], float).reshape(-1, 4)
        results += to_results(i + 1, numbers, np.asarray(one["scores"], float), boxes=boxes, **masks)
    return evaluate(to_coco(scenes), results, kind=kind)
