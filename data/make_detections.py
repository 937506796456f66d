"""Write `annotations/`: the truth of 120 test scenes, and what two detectors with known habits say about them.

    python data/make_detections.py               # write the four files
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

The scenes come in three sizes, so that small, medium and large objects occur.
"""

import json
from pathlib import Path

from cvlab.coco.write import to_coco
from cvlab.map.detectors import DETECTORS, detect
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scene

FOLDER = Path(__file__).parent / "annotations"
SIZES = (96, 160, 256)
EACH = 40  # scenes a size


def truth() -> dict:
    """Return the truth in COCO's format; each image tells how to paint it again."""
    recipes = [{"index": i, "split": "test", "size": size} for size in SIZES for i in range(EACH)]
    data = to_coco([make_scene(recipe["index"], split="test", size=recipe["size"]) for recipe in recipes])
    for image, recipe in zip(data["images"], recipes, strict=True):
        image["scene"] = recipe
    return data


def build() -> dict[str, dict | list]:
    """Return what each file holds, by name."""
    scenes = truth()
    return {
        "scenes.json": scenes,
        "detector_a.json": detect(scenes, DETECTORS["A"], seed=1),
        "detector_b.json": detect(scenes, DETECTORS["B"], seed=2),
        "detector_a_masks.json": detect(scenes, DETECTORS["A"], seed=1, masks=True),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, content in build().items():
        write_whole(FOLDER / name, (json.dumps(content, separators=(",", ":")) + "\n").encode())
        print(f"{name}: {(FOLDER / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
