"""Compare evaluators on 5,000 generated images, 80 classes, 100 detections each: `python bench/map.py`.

pycocotools comes with the course. Two more are measured where they are installed; they are not dependencies:

    pip install faster-coco-eval torchmetrics

Each evaluator runs in a process of its own, from records in memory to the twelve numbers, a few times after a small warm-up
run; rounds of different evaluators alternate, so that a busy moment of the machine does not hit one alone. The table tells
the median, the ratio to ours, and how far the process's memory rose at its peak. All must agree before anything is printed.

2026-11-22, two x86_64 cores shared with other work, Python 3.11, NumPy 2.4, two runs of three rounds (medians):
ours 1.1 and 2.0 s, + 120 MB; pycocotools 2.0.11 54 and 35 times that, + 1740 MB; faster-coco-eval 1.8 7 and 6 times,
+ 980 MB; torchmetrics 1.9 (which calls pycocotools) 53 and 38 times, + 1900 MB.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import platform
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

SIZE = (480, 640)


def make(images: int, classes: int = 80, detections: int = 100, seed: int = 0) -> tuple[dict, list[dict]]:
    """Return truth and results: about seven objects an image, most of them found, the rest of the boxes ghosts."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(7.3, images)
    total = int(counts.sum())
    image = np.repeat(np.arange(images), counts)
    sides = np.exp(rng.normal(4, 0.9, (total, 2))).clip(4, 440)
    corner = rng.uniform(0, 1, (total, 2)) * (np.array(SIZE[::-1]) - sides)
    boxes = np.concatenate([corner, sides], axis=1).round(2)
    category = np.minimum(rng.geometric(0.05, total), classes)  # few classes are frequent, as in COCO
    crowd = rng.random(total) < 0.01
    truth = {
        "images": [{"id": i + 1, "height": SIZE[0], "width": SIZE[1]} for i in range(images)],
        "categories": [{"id": c, "name": f"class {c}"} for c in range(1, classes + 1)],
        "annotations": [
            {
                "id": i + 1,
                "image_id": int(image[i]) + 1,
                "category_id": int(category[i]),
                "bbox": boxes[i].tolist(),
            }
            | {"area": float(boxes[i, 2] * boxes[i, 3]) * 0.7, "iscrowd": int(crowd[i])}
            for i in range(total)
        ],
    }
    return truth, _results(truth, boxes, image, category, detections, rng)


def _results(truth, boxes, image, category, detections, rng) -> list[dict]:
    found = []
    for i in range(len(truth["images"])):
        own = (
            np.flatnonzero(image == i)
            if len(image) < 1000
            else np.arange(*np.searchsorted(image, [i, i + 1]))
        )
        pick = rng.choice(own, min(detections // 2, 3 * len(own))) if len(own) else own
        near = boxes[pick] + rng.normal(0, 0.08, (len(pick), 4)) * np.tile(boxes[pick, 2:], 2)
        ghosts = detections - len(pick)
        sides = np.exp(rng.normal(4, 0.9, (ghosts, 2))).clip(4, 440)
        far = np.concatenate([rng.uniform(0, 1, (ghosts, 2)) * (np.array(SIZE[::-1]) - sides), sides], axis=1)
        them = np.concatenate([near, far])
        them[:, 2:] = them[:, 2:].clip(1)
        them[:, :2] = them[:, :2].clip(0, 470)
        kinds = np.concatenate([category[pick], rng.choice(category, ghosts)])
        scores = np.concatenate([rng.beta(4, 2, len(pick)), rng.beta(1, 4, ghosts)]).round(4)
        found += [
            {"image_id": i + 1, "category_id": int(k), "bbox": box, "score": float(s)}
            for k, box, s in zip(kinds, them.round(2).tolist(), scores, strict=True)
        ]
    return found


def ours(truth, results):
    from cvlab.map.evaluate import evaluate

    return list(evaluate(truth, results).numbers.values())


def pycocotools(truth, results):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _coco(COCO, COCOeval, truth, results)


def faster_coco_eval(truth, results):
    from faster_coco_eval import COCO, COCOeval_faster

    return _coco(COCO, COCOeval_faster, truth, results)


def _coco(api, judge, truth, results):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = api()
        gt.dataset = truth
        gt.createIndex()
        run = judge(gt, gt.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return np.asarray(run.stats)[:12].tolist()


def torchmetrics(truth, results):
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(box_format="xywh", backend="pycocotools")
    targets = {i["id"]: [] for i in truth["images"]}
    found = {i["id"]: [] for i in truth["images"]}
    for a in truth["annotations"]:
        targets[a["image_id"]].append(a)
    for r in results:
        found[r["image_id"]].append(r)

    def stack(records, field, width=()):
        return torch.tensor([r[field] for r in records], dtype=torch.float32).reshape(-1, *width)

    for i in targets:
        metric.update(
            [{"boxes": stack(found[i], "bbox", (4,)), "scores": stack(found[i], "score"), "labels": stack(found[i], "category_id").int()}],
            [{"boxes": stack(targets[i], "bbox", (4,)), "labels": stack(targets[i], "category_id").int(),
              "iscrowd": stack(targets[i], "iscrowd").int(), "area": stack(targets[i], "area")}],
        )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        values = metric.compute()
    names = ["map", "map_50", "map_75", *(f"map_{s}" for s in ("small", "medium", "large"))]
    names += [f"mar_{s}" for s in ("1", "10", "100", "small", "medium", "large")]
    return [float(values[name]) for name in names]


RUNNERS = {
    "cvlab": ours,
    "pycocotools": pycocotools,
    "faster_coco_eval": faster_coco_eval,
    "torchmetrics": torchmetrics,
}


def child(name: str, images: int) -> None:
    """Run one evaluator once and print seconds, MB and numbers as JSON."""
    run = RUNNERS[name]
    with contextlib.redirect_stderr(io.StringIO()):
        run(*make(20))  # imports and first calls
    truth, results = make(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    numbers = run(truth, results)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "mb": (after - before) / 1024, "numbers": numbers}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=RUNNERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments.child, arguments.images)
    names = [name for name in RUNNERS if importlib.util.find_spec(name)]
    runs = {name: [] for name in names}
    for round_ in range(arguments.rounds):
        for name in names:
            if name == "torchmetrics" and round_:
                continue  # it wraps pycocotools, and takes longest: once is enough
            command = [sys.executable, __file__, "--child", name, "--images", str(arguments.images)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            runs[name].append(json.loads(output.splitlines()[-1]))
            print(
                f"  round {round_ + 1}: {name} {runs[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True
            )
    for name in names:
        gap = np.abs(np.subtract(runs[name][0]["numbers"], runs["cvlab"][0]["numbers"])).max()
        assert gap < (2e-3 if name == "torchmetrics" else 1e-9), (
            name,
            gap,
        )  # torchmetrics keeps boxes in float32, and a few overlaps fall on the other side
        seconds = statistics.median(run["seconds"] for run in runs[name])
        ratio = seconds / statistics.median(run["seconds"] for run in runs["cvlab"])
        spread = f"{min(r['seconds'] for r in runs[name]):.2f} to {max(r['seconds'] for r in runs[name]):.2f}"
        print(
            f"{name:17} {seconds:7.2f} s ({spread})  {ratio:5.1f} x ours  peak + {runs[name][-1]['mb']:5.0f} MB  largest difference {gap:.0e}"
        )
    print(
        f"{arguments.images} images, {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    return None


if __name__ == "__main__":
    main()
