"""Time to accuracy on CIFAR-10: the plain recipe of many first lessons against lesson 03's fast net and recipe.

    python bench/cifar10.py SUBSET.npz                 # both in one run, the fast one at four lengths
    python bench/cifar10.py SUBSET.npz --tricks        # what each trick buys: leave one out at a time
    python bench/cifar10.py SUBSET.npz --tricks --seeds 3 --record data/training/speed.json    # all, kept for the lesson

The file holds `jpeg` (bytes), `offset`, `label`, `is_test`, as a subset of CIFAR-10 may be packed; a folder is read as torchvision's
CIFAR-10. Nothing is fetched. The fast recipe convolves in bfloat16. Times are of training alone, on the threads torch uses; the
test pictures are judged after it.
"""

import argparse
import io
import json
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from cvlab.cnn_training import batches, loop, nets, speed
from cvlab.store.files import write_whole

LONG = {"lr": 0.08, "copies": 4, "small": 0.5}  # what more epochs like better
STAGES = (  # what for, widths of the net, epochs, what differs from the recipe, seeds at most
    ("a quarter of the time", (32, 64, 128), 1, {}, 9),
    ("0.80 within 3 minutes", (32, 64, 128), 4, {}, 9),
    ("0.85 within 6 minutes", (64, 128, 256), 10, LONG, 9),
    ("what 6 minutes give", (64, 128, 256), 20, LONG, 1),
)
RECIPE = speed.Recipe(bfloat16=True)
KEYS = ("goal", "widths", "epochs", "change", "seeds")
OFF = {
    "nothing": {},
    "one cycle": {"one_cycle": False},
    "Muon (SGD instead)": {"muon": False},
    "whitened stem": {"whiten": False},
    "mirrored and moved copies": {"copies": None},
    "label smoothing": {"smoothing": 0.0},
    "small pictures first": {"small": 0.0},
    "bfloat16": {"bfloat16": False},
    "channels last": {"channels_last": False},
}


def read(path: Path):
    """Return training and test pictures (N, H, W, 3) uint8 and their labels."""
    if path.is_dir():
        from torchvision.datasets import CIFAR10

        sets = [CIFAR10(path, train=part) for part in (True, False)]
        return tuple((data.data, np.asarray(data.targets)) for data in sets)
    packed = np.load(path)
    raw, ends = packed["jpeg"].tobytes(), packed["offset"]
    pairs = zip(ends[:-1], ends[1:], strict=True)
    images = np.stack([np.asarray(Image.open(io.BytesIO(raw[a:b])).convert("RGB")) for a, b in pairs])
    test, labels = packed["is_test"].astype(bool), packed["label"].astype(np.int64)
    return (images[~test], labels[~test]), (images[test], labels[test])


def plain(data, seed: int) -> tuple[float, float]:
    """LeNet-style, SGD with lr 0.001 and momentum 0.9, batches of 4, 5 epochs; return accuracy and seconds."""
    (x, y), (x_test, y_test) = data
    model = nets.make("lenet", seed)
    optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9)
    feed = batches.Batches(x, y, 4, seed=seed)
    start = time.perf_counter()
    for _ in range(5):
        loop.train_epoch(model, feed, F.cross_entropy, optimizer)
    seconds = time.perf_counter() - start
    return loop.accuracy(model, batches.Batches(x_test, y_test, 500, every=True)), seconds


def fast(data, widths, epochs: int, seed: int, recipe: speed.Recipe) -> dict:
    """Train lesson 03's fast net; return its accuracy with mirror images and without, and the seconds."""
    (x, y), (x_test, y_test) = data
    torch.manual_seed(seed)
    model = speed.fast_net(widths)
    start = time.perf_counter()
    speed.fit_fast(model, x, y, epochs, recipe, seed)
    seconds = time.perf_counter() - start
    test = batches.Batches(x_test, y_test, 500, every=True)
    both, single = speed.accuracy_mirrored(model, test), loop.accuracy(model, test)
    return {"accuracy": both, "single": single, "seconds": round(seconds, 1)}


def stages(data, seeds: int) -> dict:
    """The plain recipe and the fast one at each of its lengths, seed by seed in one run; return what was measured."""
    measured = {
        "plain": [],
        "stages": [dict(zip(KEYS, stage, strict=True)) | {"runs": []} for stage in STAGES],
    }
    for seed in range(seeds):
        accuracy, base = plain(data, seed)
        measured["plain"].append({"accuracy": accuracy, "seconds": round(base, 1)})
        print(f"plain recipe, seed {seed}: accuracy {accuracy:.3f} in {base:.0f} s", flush=True)
        for stage in measured["stages"]:
            if seed >= stage["seeds"]:
                continue
            run = fast(data, stage["widths"], stage["epochs"], seed, replace(RECIPE, **stage["change"]))
            stage["runs"].append(run)
            print(
                f"{stage['goal']}: {stage['widths']}, {stage['epochs']} epochs, seed {seed}: accuracy {run['accuracy']:.3f} "
                f"(without mirror images {run['single']:.3f}) in {run['seconds']:.1f} s, "
                f"{run['seconds'] / base:.2f} of the plain recipe's time",
                flush=True,
            )
    return measured


def tricks(data, seeds: int, epochs: int) -> dict:
    """Leave out one trick at a time; return what was measured."""
    rows = {name: [] for name in OFF}
    for seed in range(seeds):  # seed by seed, so that a slow minute of the machine hits all alike
        for name, change in OFF.items():
            run = fast(data, STAGES[1][1], epochs, seed, replace(RECIPE, **change))
            rows[name].append(run)
            print(f"seed {seed}, without {name}: {run['accuracy']:.3f} in {run['seconds']:.0f} s", flush=True)
    print(f"\n{epochs} epochs, {seeds} seeds\n| left out | accuracy | seconds |\n|---|---|---|")
    for name, runs in rows.items():
        scores, seconds = ([run[key] for run in runs] for key in ("accuracy", "seconds"))
        print(
            f"| {name} | {np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f}) | {np.mean(seconds):.0f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tricks", action="store_true", help="leave out one trick at a time")
    parser.add_argument("--epochs", type=int, default=4, help="of each training with --tricks")
    parser.add_argument("--record", type=Path, metavar="JSON", help="measure all, and write it")
    options = parser.parse_args()
    data = [(batches.to_tensor(images), labels) for images, labels in read(options.data)]
    about = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    content = {"machine": about, "pictures": [len(labels) for _, labels in data], "epochs": options.epochs}
    print(content)
    torch.optim.SGD(
        [torch.zeros(1, requires_grad=True)]
    )  # its first use imports for seconds: no recipe's fault
    if options.record or not options.tricks:
        content |= stages(data, options.seeds)
    if options.record or options.tricks:
        content["without"] = tricks(data, options.seeds, options.epochs)
    if options.record:
        write_whole(options.record, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
