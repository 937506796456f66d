"""What a network must say of every pixel: a map of class numbers, made from a scene's exact masks."""

import numpy as np

from cvlab._validate import one_of
from cvlab.coco.categories import CATEGORIES
from cvlab.world.scenes import Scene, check_scene
from cvlab.world.stickers import COCO_VOC

__all__ = ["GROUPS", "GROUP_OF", "NAMES", "label_map"]

NAMES = ("background", *COCO_VOC)  # 18: the number of a class is its place
_SUPER = {category["name"]: category["supercategory"] for category in CATEGORIES}
GROUPS = (
    "background",
    "vehicle",
    "animal",
    "person",
    "indoor",
)  # bottle, chair and tv: three small ones of COCO
GROUP_OF = np.array(
    [0, *(GROUPS.index(g) if (g := _SUPER[name]) in GROUPS else 4 for name in NAMES[1:])], dtype=np.int64
)  # (18,) from a class to its group


def label_map(scene: Scene, task: str = "classes") -> np.ndarray:
    """Return the number of the class at every pixel, 0 where there is only background.

    Args:
        scene: a scene of the 17 classes that COCO and VOC share.
        task: "classes" (numbers are places in `NAMES`) or "groups" (places in `GROUPS`).

    Returns:
        (H, W) int64.

    Raises:
        ValueError: the scene has other classes, labels beyond them or masks of another size; the task is another word.

    Example:
        >>> from cvlab.world.scenes import make_scene
        >>> map_ = label_map(make_scene(0, split="test"))
        >>> map_.shape, [NAMES[k] for k in np.unique(map_)]
        ((96, 96), ['background', ...])
    """
    one_of(task, "task", ("classes", "groups"))
    if scene.class_names != NAMES[1:]:
        raise ValueError(
            f"scene must have the classes {', '.join(NAMES[1:])}; got {', '.join(scene.class_names)}"
        )
    check_scene(scene)
    found = np.zeros(scene.image.shape[:2], np.int64)
    for mask, label in zip(scene.masks, scene.labels, strict=True):
        found[mask] = label + 1
    return GROUP_OF[found] if task == "groups" else found
