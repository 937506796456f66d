"""Write `training/transfer.json`: four ways to teach a network a few new classes, by pictures a class; lesson 04.

    python data/make_transfer.py                 # about half an hour on one core; goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

Equal seconds: a way's steps follow from `SECONDS` and from what a picture costs (`COST`, measured once), and from no clock while
it runs. Frozen features are computed once, so that way needs less than its share. Seeds change pictures, weights and order.
Learning rates are chosen on the val split, with a seed that is not used again. One thread.
"""

import functools
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cvlab.store.files import write_whole
from cvlab.transfer_learning import ways
from cvlab.transfer_learning.backbone import features
from cvlab.world.single import make_pictures
from cvlab.world.stickers import CIFAR10

FOLDER, SIZE, SEEDS, CHOOSING = Path(__file__).parent, 96, (0, 1, 2), 9
TASKS = {"ten": CIFAR10, "two": ("cat", "dog")}
COUNTS = {"ten": (1, 2, 4, 8, 32, 128), "two": (1, 8, 128)}
JUDGED, SECONDS = {"ten": 400, "two": 200}, {"ten": 10, "two": 3}
COST = {"frozen": 3.4, "last block": 4.1, "all": 15.6, "from scratch": 15.6}  # ms a picture, at 96 x 96
RATES = {  # of the body and of the head
    "last block": ((3e-4, 3e-3), (1e-3, 1e-2), (3e-3, 3e-2)),
    "all": ((3e-4, 3e-3), (1e-3, 1e-2), (3e-3, 3e-2)),
    "from scratch": ((1e-3, 1e-3), (3e-3, 3e-3), (1e-2, 1e-2)),
}
LONGER = {  # times the seconds, with the most pictures; one seed
    "two": {"all": 4},
    "ten": {"last block": 4, "all": 4, "from scratch": 8},
}
HEAD_RATES = (1e-3, 3e-3, 1e-2)
FROZEN = {"frozen": "head", "frozen, three stages": "blocks"}


@functools.cache
def pictures(task: str, n: int, split: str = "train", seed: int = 0):
    """Return n pictures of the task's classes."""
    return make_pictures(n, split, seed=seed, size=SIZE, classes=TASKS[task])


@functools.cache
def judges(task: str) -> dict:
    """Return the pictures to judge by: seen and unseen style."""
    return {"seen": pictures(task, JUDGED[task], "train", 5), "unseen": pictures(task, JUDGED[task], "test")}


def steps_of(task: str, way: str) -> int:
    """Return how many steps of 16 pictures fit into the task's seconds."""
    return int(1000 * SECONDS[task] / (16 * COST[way]))


def right(answers: torch.Tensor, labels: np.ndarray) -> float:
    """Return the accuracy of (N, K) answers."""
    return round(float((answers.argmax(1).numpy() == labels).mean()), 4)


def trained(task, way, k, seed, *, rates, steps, bn=None, judge=judges) -> dict:
    """Train one network, and return its record; `bn` tells whether BatchNorm takes each batch's own statistics."""
    classes = len(TASKS[task])
    shots = pictures(task, classes * max(COUNTS[task]), "train", 10 + seed)
    images, labels = shots.images[: k * classes], shots.labels[: k * classes]
    begin = time.process_time()
    net, parts = ways.start(way, classes, seed)
    net.train(way == "from scratch" if bn is None else bn)
    losses = ways.fine_tune(net, parts, images, labels, rates=rates, steps=steps, seed=seed)
    seconds = time.process_time() - begin
    net.eval()
    scores = {name: right(features(net, them.images), them.labels) for name, them in judge(task).items()}
    few = [round(float(np.mean(part)), 4) for part in np.array_split(losses, min(10, steps))]
    return {"seconds": round(seconds, 1), **scores, "losses": few}


@functools.cache
def described(task: str, which: str, seed: int = 0) -> tuple[dict, float]:
    """Return the frozen features of "train", "seen", "unseen" or "val" pictures, and the seconds they took."""
    net, _ = ways.start("all", len(TASKS[task]))
    them = {
        "train": lambda: pictures(task, len(TASKS[task]) * max(COUNTS[task]), "train", 10 + seed),
        "val": lambda: pictures(task, 200, "val"),
    }.get(which, lambda: judges(task)[which])()
    begin = time.process_time()
    return ways.levels(net, them.images), time.process_time() - begin


def frozen(task, kind, k, seed, *, rate, judge=("seen", "unseen")) -> dict:
    """Train a head on frozen features, and return its record."""
    classes, (found, seconds) = len(TASKS[task]), described(task, "train", seed)
    x, labels = found[kind][: k * classes], np.arange(k * classes) % classes
    begin = time.process_time()
    head = ways.fit_head(x, labels, classes, rate=rate)
    seconds = seconds * k / max(COUNTS[task]) + time.process_time() - begin
    scores = {}
    for which in judge:
        x = described(task, which)[0][kind]
        scores[which] = right(head(x), np.arange(len(x)) % classes)
    return {"seconds": round(seconds, 1), **scores}


class Kept:
    """A file of JSON lines: what was done once is not done again."""

    def __init__(self, path: Path):
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.done = [json.loads(line) for line in lines if line.endswith("}")]

    def run(self, key: dict, work) -> dict:
        """Return the record of `key`, from the file or from `work()`."""
        key = json.loads(json.dumps(key))
        for line in self.done:
            if key.items() <= line.items():
                return line
        line = key | work()
        self.done.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(line))  # behind what a kill cut short
        print(line, flush=True)
        return line


def choose(kept: Kept, k: int = 8) -> dict:
    """Return what was tried on the val split at `k` pictures a class, way by way, and the best of it."""

    def val(task):
        return {"val": pictures(task, 200, "val")}

    found = {}
    for way, kind in FROZEN.items():
        tried = [
            kept.run(
                {"choosing": way, "rates": rate, "bn": False},
                lambda r=rate, kind=kind: frozen("ten", kind, k, CHOOSING, rate=r, judge=("val",)),
            )
            for rate in HEAD_RATES
        ]
        found[way] = {"tried": tried, "best": max(tried, key=lambda run: run["val"])}
    for way, grid in RATES.items():
        settings = [(rates, way == "from scratch") for rates in grid]
        if way == "all":
            settings.append((grid[0], True))
        tried = [
            kept.run(
                {"choosing": way, "rates": rates, "bn": bn, "steps": steps_of("ten", way)},
                lambda way=way, rates=rates, bn=bn: trained(
                    "ten", way, k, CHOOSING, rates=rates, steps=steps_of("ten", way), bn=bn, judge=val
                ),
            )
            for rates, bn in settings
        ]
        found[way] = {"tried": tried, "best": max(tried, key=lambda run: run["val"])}
    return found


def runs_of(kept: Kept, task: str, chosen: dict) -> list[dict]:
    """Return every way at every number of pictures, with three seeds."""
    runs = []
    for seed in SEEDS:
        for k in COUNTS[task]:
            for way, kind in FROZEN.items():
                key = {"task": task, "way": way, "k": k, "seed": seed}
                rate = chosen[way]["best"]["rates"]
                runs.append(kept.run(key, lambda a=(task, kind, k, seed), rate=rate: frozen(*a, rate=rate)))
            for way in RATES:
                key = {"task": task, "way": way, "k": k, "seed": seed, "steps": steps_of(task, way)}
                best = chosen[way]["best"]
                options = {"rates": best["rates"], "steps": key["steps"], "bn": best["bn"]}
                runs.append(kept.run(key, lambda a=(task, way, k, seed), o=options: trained(*a, **o)))
    return runs


def longer(kept: Kept, task: str, chosen: dict) -> list[dict]:
    """Return what more seconds buy with the most pictures."""
    runs, k, seed = [], max(COUNTS[task]), SEEDS[0]
    for way, times in LONGER[task].items():
        best, steps = chosen[way]["best"], times * steps_of(task, way)
        key = {"task": task, "way": way, "k": k, "seed": seed, "steps": steps}
        options = {"rates": best["rates"], "steps": steps, "bn": best["bn"]}
        runs.append(kept.run(key, lambda a=(task, way, k, seed), o=options: trained(*a, **o)))
    return runs


def gentler(kept: Kept) -> list[dict]:
    """Return two classes with the most pictures and all layers, in the same seconds, at the lowest rates of the grid."""
    k, steps, rates = max(COUNTS["two"]), steps_of("two", "all"), RATES["all"][0]
    options = {"rates": rates, "steps": steps}
    return [
        kept.run(
            {"gentler": "two", "seed": seed, **options},
            lambda seed=seed: trained("two", "all", k, seed, **options),
        )
        for seed in SEEDS
    ]


def main() -> None:
    torch.set_num_threads(1)
    path = sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_transfer.jsonl")
    kept = Kept(Path(path))
    chosen = choose(kept)
    record = {
        "machine": f"{platform.machine()}, torch {torch.__version__}, one thread",
        "size": SIZE,
        "judged": JUDGED,
        "counts": COUNTS,
        "seconds": SECONDS,
        "cost": COST,
        "chosen": chosen,
        "runs": [run for task in TASKS for run in runs_of(kept, task, chosen)],
        "longer": [run for task in LONGER for run in longer(kept, task, chosen)],
        "gentler": gentler(kept),
    }
    write_whole(FOLDER / "training" / "transfer.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
