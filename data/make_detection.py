"""Write `training/detection.json`: lesson 06's growing table, way by way, with three seeds.

    python data/make_detection.py                 # goes on where it was stopped
    python data/make_detection.py --only "R-CNN"  # one way, again: what was kept of it is forgotten
    python data/make_stickers.py --hashes         # then bring the table of data/README.md up to date

Every way is a function `way(seed)` of `WAYS` that trains, and returns `detect(scenes)`; that returns one dict a scene, as
`cvlab.map.judge` wants it, and how many crops or pictures went through the network in all. Times are recorded as a ratio to
one pass of the frozen network, both of this process alone (`process_time`). One thread.
"""

import argparse
import functools
import json
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from cvlab.detection import two_stage
from cvlab.map.judge import judge
from cvlab.regions.crops import train_classifier, training_crops
from cvlab.regions.fast_rcnn import detect as find
from cvlab.regions.fast_rcnn import fit, map_of
from cvlab.regions.proposals import selective_search
from cvlab.regions.rcnn import RCNN, sample_regions, train_rcnn, training_regions
from cvlab.regions.windows import all_windows, detect_windows
from cvlab.segmentation.topdown import maps_of
from cvlab.store.files import write_whole
from cvlab.world.scenes import Scene, make_scenes

FOLDER, SIZE, SCENES, SEEDS = Path(__file__).parent, 192, 40, (0, 1, 2)
STYLES = {"seen": ("train", 5), "unseen": ("test", 1)}  # split and seed of the scenes that judge

Detect = Callable[[Sequence[Scene]], tuple[list[dict], int]]


def all_places(seed: int) -> Detect:
    """Train section 4's classifier of crops, and ask it about every window."""
    scenes = make_scenes(200, split="train", seed=0, size=SIZE)
    classifier = train_classifier(*training_crops(scenes, seed))

    def detect(judged: Sequence[Scene]) -> tuple[list[dict], int]:
        return detect_windows(judged, classifier), len(all_windows(SIZE)) * len(judged)

    return detect


@functools.cache
def looker(seed: int) -> RCNN:
    """Train what names a region, and what moves its edges, as section 7 does."""
    return train_rcnn(*training_regions(make_scenes(100, split="train", seed=0, size=SIZE), seed))


def region_by_region(seed: int, *, refine: bool) -> Detect:
    """Show the first hundred proposals of a scene to the network, one by one."""
    rcnn = looker(seed)

    def detect(judged: Sequence[Scene]) -> tuple[list[dict], int]:
        found, looked = [], 0
        for scene in judged:
            boxes = selective_search(scene.image)[:100]
            features, size = rcnn.features(scene.image, boxes), scene.image.shape[:2]
            found.append(rcnn.answer(features, boxes, size, refine=refine))
            looked += len(boxes)
        return found, looked

    return detect


def fast_rcnn(seed: int) -> Detect:
    """Train section 8's head on grids of RoI align."""
    scenes = make_scenes(160, split="train", seed=0, size=SIZE)
    regions = [sample_regions(scene, seed=len(scenes) * seed + i) for i, scene in enumerate(scenes)]
    head = fit(scenes, map_of(scenes), regions, seed=seed)

    def detect(judged: Sequence[Scene]) -> tuple[list[dict], int]:
        proposals = [selective_search(scene.image) for scene in judged]
        return find(head, map_of(judged), proposals), len(judged)

    return detect


def faster_rcnn(seed: int) -> Detect:
    """Train both stages of lesson 06b, section 3, on the map of stride 16."""
    scenes = make_scenes(300, split="train", seed=0, size=SIZE)
    boxes = [torch.from_numpy(scene.boxes) for scene in scenes]
    labels = [torch.from_numpy(scene.labels) for scene in scenes]
    rpn, head, _ = two_stage.train(map_of(scenes), boxes, labels, seed=seed)

    def detect(judged: Sequence[Scene]) -> tuple[list[dict], int]:
        return two_stage.detect(rpn, head, map_of(judged)), len(judged)

    return detect


WAYS: dict[str, Callable[[int], Detect]] = {
    "windows": all_places,
    "selective search, classifier": functools.partial(region_by_region, refine=False),
    "R-CNN": functools.partial(region_by_region, refine=True),
    "Fast R-CNN": fast_rcnn,
    "Faster R-CNN": faster_rcnn,
}  # in the order of `cvlab.regions.records.WAYS`


def one_pass(scenes: Sequence[Scene]) -> float:
    """Return the seconds that the frozen network takes to look once at all scenes, the best of three."""
    images, seconds = np.stack([scene.image for scene in scenes]), []
    for _ in range(3):
        begin = time.process_time()
        maps_of(images, side=SIZE)
        seconds.append(time.process_time() - begin)
    return min(seconds)


def measured(way: str, seed: int) -> dict:
    """Train a way and judge it: "passes" and "ratio" on the seen scenes, "AP" and "AP50" on both kinds."""
    detect, run = WAYS[way](seed), {}
    for style, (split, start) in STYLES.items():
        scenes = make_scenes(SCENES, split=split, seed=start, size=SIZE)
        begin = time.process_time()
        found, passes = detect(scenes)
        seconds = time.process_time() - begin
        numbers = judge(scenes, found).numbers
        run[style] = {name: round(numbers[name], 4) for name in ("AP", "AP50")}
        if style == "seen":
            run |= {"passes": passes / len(scenes), "ratio": round(seconds / one_pass(scenes), 3)}
    return run


def main() -> None:
    """Measure what is not kept yet, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kept", nargs="?", type=Path, help="file of JSON lines to go on with")
    parser.add_argument("--only", choices=list(WAYS), help="measure this way again, and no other")
    asked = parser.parse_args()
    kept = asked.kept or Path(tempfile.gettempdir(), "cvlab_detection.jsonl")
    torch.set_num_threads(1)
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    done = {(run["way"], run["seed"]): run for run in map(json.loads, lines) if run["way"] != asked.only}
    for way in [asked.only] if asked.only else WAYS:
        for seed in SEEDS:
            if (way, seed) not in done:
                done[way, seed] = {"way": way, "seed": seed, **measured(way, seed)}
                write_whole(kept, "".join(json.dumps(run) + "\n" for run in done.values()).encode())
                print(done[way, seed], flush=True)
    path = FOLDER / "training" / "detection.json"
    ways = json.loads(path.read_text(encoding="utf-8"))["ways"] if path.exists() else {}
    for way in WAYS:
        runs = [done[way, seed] for seed in SEEDS if (way, seed) in done]
        if runs:
            ways[way] = {
                "passes": round(float(np.mean([run["passes"] for run in runs])), 2),
                "ratio": round(float(np.median([run["ratio"] for run in runs])), 2),
                "runs": [{key: run[key] for key in ("seed", "seen", "unseen")} for run in runs],
            }
    machine = f"{platform.machine()}, torch {torch.__version__}, one thread"
    record = {"machine": machine, "size": SIZE, "scenes": SCENES, "ways": ways}
    write_whole(path, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
