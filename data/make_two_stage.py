"""Write `training/two_stage.json`: Faster R-CNN and Mask R-CNN on a frozen map, and what each part of them gives.

    python data/make_two_stage.py               # goes on where it was stopped
    python data/make_stickers.py --hashes       # then bring the table of data/README.md up to date

Three seeds learn from the same scenes and are judged on 200 scenes of the drawing styles seen and 200 of one unseen. One thread.
"""

import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

from cvlab.detection.anchors import make_anchors
from cvlab.detection.mask_head import train_masks, with_masks
from cvlab.detection.rpn import RATIOS, SIZES, STRIDE, propose
from cvlab.detection.two_stage import detect, train
from cvlab.map.judge import judge
from cvlab.regions.geometry import box_iou
from cvlab.segmentation.topdown import maps_of
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scenes

FOLDER, SEEDS, SIDE = Path(__file__).parent, (0, 1, 2), 192
SCENES = {"train": (300, "train", 0), "seen": (200, "train", 5), "unseen": (200, "test", 1)}
STEPS, MASK_STEPS = 150, 80  # as in the lesson
COUNTS = (1, 3, 5, 10, 20, 50)  # proposals


def numbers(scenes, found, kind="bbox") -> dict:
    """Return AP and AP50."""
    judged = judge(scenes, found, kind=kind).numbers
    return {name: round(judged[name], 4) for name in ("AP", "AP50")}


@torch.no_grad()
def recalls(rpn, maps, scenes) -> list[float]:
    """Return the share of objects that one of the first proposals overlaps by half, for each of `COUNTS`."""
    anchors = make_anchors(12, 12, STRIDE, SIZES, RATIOS)
    best = {n: [] for n in COUNTS}
    for x, scene in zip(maps.float().split(1), scenes, strict=True):
        scores, offsets = rpn(x)
        overlap = box_iou(torch.from_numpy(scene.boxes), propose(scores[0], offsets[0], anchors, 50))
        for n in COUNTS:
            best[n] += (overlap[:, :n].amax(1) >= 0.5).tolist()
    return [round(float(np.mean(best[n])), 4) for n in COUNTS]


def main() -> None:
    """Train and judge what is not kept yet, and write the record."""
    torch.set_num_threads(1)
    kept = Path(tempfile.gettempdir(), "cvlab_two_stage.json")
    runs = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    scenes = {
        name: make_scenes(n, split=split, seed=seed, size=SIDE) for name, (n, split, seed) in SCENES.items()
    }
    levels = {
        name: maps_of(np.stack([scene.image for scene in some]), batch=8, side=SIDE)[:3]
        for name, some in scenes.items()
    }
    boxes = [torch.from_numpy(scene.boxes) for scene in scenes["train"]]
    labels = [torch.from_numpy(scene.labels) for scene in scenes["train"]]
    masks = [torch.from_numpy(scene.masks) for scene in scenes["train"]]
    for seed in SEEDS[len(runs) :]:
        rpn, head, losses = train(levels["train"][2], boxes, labels, steps=STEPS, seed=seed)
        run = {
            "seed": seed,
            "losses": [[round(v, 4) for v in part.mean(0).tolist()] for part in losses.chunk(15)],
        }
        options = {"align": {}, "pool": {"pool": True}, "align, a mask a class": {"labels": labels}}
        heads = {
            name: train_masks(levels["train"], boxes, masks, steps=MASK_STEPS, seed=seed, **more)[0]
            for name, more in options.items()
        }
        for style in ("seen", "unseen"):
            found = detect(rpn, head, levels[style][2])
            run[style] = {
                "box": numbers(scenes[style], found),
                "box, not refined": numbers(scenes[style], detect(rpn, head, levels[style][2], refine=False)),
                "recall": recalls(rpn, levels[style][2], scenes[style]),
            }
            for name, mask_head in heads.items():
                answers = with_masks(mask_head, levels[style], found, pool=name == "pool")
                run[style][f"mask, {name}"] = numbers(scenes[style], answers, "segm")
        runs.append(run)
        write_whole(kept, json.dumps(runs).encode())
        print(json.dumps(run), flush=True)
    record = {
        "machine": f"{platform.machine()}, torch {torch.__version__}, one thread",
        "scenes": {name: n for name, (n, _, _) in SCENES.items()},
        "steps": STEPS,
        "mask steps": MASK_STEPS,
        "proposals": COUNTS,
        "runs": runs,
    }
    write_whole(FOLDER / "training" / "two_stage.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
