"""COCO's format and category numbers, so that `pycocotools` reads our scenes as it reads COCO."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from cvlab.coco.categories import CATEGORIES, category_id
from cvlab.coco.rle import mask_to_rle
from cvlab.store.files import write_whole
from cvlab.world.scenes import Scene, check_scene

__all__ = ["save", "to_coco", "write_json"]


def to_coco(scenes: Iterable[Scene], *, first_image_id: int = 1) -> dict:
    """Describe scenes in COCO's format.

    Boxes become x, y, width, height; masks become run lengths, packed into text; labels become COCO's category numbers.
    Beyond COCO's own keys, each annotation holds `visibility` and `depth`.

    Args:
        scenes: scenes that share their `class_names`, all of them names of COCO categories.
        first_image_id: number of the first picture; the others follow.

    Returns:
        A dict of plain lists and numbers, ready for `write_json`.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> coco = to_coco(make_scenes(2))
        >>> sorted(coco), coco["images"][0]["file_name"]
        (['annotations', 'categories', 'images', 'info', 'licenses'], '000000000001.png')

    Source: https://cocodataset.org/#format-data
    """
    scenes = [scenes] if isinstance(scenes, Scene) else list(scenes)
    for scene in scenes:
        if not isinstance(scene, Scene):
            raise TypeError(f"scenes must be Scene objects; got {type(scene).__name__}")
        if scene.class_names != scenes[0].class_names:
            raise ValueError("scenes must share their class_names; got two different lists")
        check_scene(scene)
    ids = [category_id(name) for name in scenes[0].class_names] if scenes else []
    images, annotations = [], []
    for image_id, scene in enumerate(scenes, start=first_image_id):
        height, width = scene.image.shape[:2]
        images.append({"id": image_id, "file_name": f"{image_id:012d}.png", "height": height, "width": width})
        annotations += _annotations(scene, image_id, ids, first=len(annotations) + 1)
    return {
        "info": {"description": "cvlab sticker scenes", "version": "1"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [dict(c) for c in CATEGORIES if c["id"] in ids],
    }


def _annotations(scene: Scene, image_id: int, ids: list[int], first: int) -> list[dict]:
    found = []
    for k, (mask, box) in enumerate(zip(scene.masks, scene.boxes.tolist(), strict=True)):
        x0, y0, x1, y1 = box
        found.append(
            {
                "id": first + k,
                "image_id": image_id,
                "category_id": ids[scene.labels[k]],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": int(mask.sum()),
                "iscrowd": 0,
                "segmentation": mask_to_rle(mask),
                "visibility": round(float(scene.visibility[k]), 4),
                "depth": int(scene.depth[k]),
            }
        )
    return found


def write_json(data: dict | list, path: str | Path) -> Path:
    """Write JSON so that the file is either complete or not there at all."""
    return write_whole(path, json.dumps(data, allow_nan=False).encode())


def save(scenes: Iterable[Scene], folder: str | Path) -> Path:
    """Write scenes as a COCO data set: `images/*.png` and `annotations.json`, whose path is returned."""
    from PIL import Image

    scenes = list(scenes)
    coco = to_coco(scenes)
    pictures = Path(folder) / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    for record, scene in zip(coco["images"], scenes, strict=True):
        picture = Image.fromarray(scene.image)
        write_whole(pictures / record["file_name"], partial(picture.save, format="png"))
    return write_json(coco, Path(folder) / "annotations.json")
