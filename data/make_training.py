"""Write `training/` and `weights/`: the trainings of lesson 03 that take minutes, recorded.

    python data/make_training.py                 # about fifteen minutes on one core
    python data/make_training.py depth           # only how depth, norm and shortcuts train; the rest stays
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

All on Stickers10: 4000 training pictures, judged on 1000 pictures of the test split, a drawing style and backgrounds never
seen; learning rates are chosen on the val split. Seeds change weights, order and random changes. One thread.
"""

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from cvlab.cnn_training import batches, loop, nets
from cvlab.cnn_training.augmentation import augment, spoil
from cvlab.store.checkpoint import save_weights
from cvlab.store.files import write_whole
from cvlab.world.datasets import Stickers10

FOLDER = Path(__file__).parent
SEEDS, EPOCHS, RATES = (0, 1, 2), 12, (0.02, 0.05, 0.1)
DEPTHS, DEEP_RATES, NORM_RATES = (8, 20, 32), (0.005, 0.02, 0.05), (0.01, 0.1, 0.5)
SPOILT = {
    "shift": (0, 2, 4, 6, 8, 10),
    "rotate": (0, 15, 30, 45, 90, 180),
    "scale": (1.4, 1.2, 1, 0.8, 0.6, 0.4),
    "hue": (0, 30, 60, 90, 120, 180),
    "shuffle": (1, 2, 4, 8),
}


def pictures() -> dict[str, tuple]:
    """Return (images, labels) of each split, ready for a network."""
    sizes = {"train": 4000, "val": 1000, "test": 1000}
    arrays = {split: Stickers10(split, n).arrays() for split, n in sizes.items()}
    return {split: (batches.to_tensor(images), labels) for split, (images, labels) in arrays.items()}


def trained(data, model, seed, *, lr, epochs=EPOCHS, change=augment, judge="test", watch=None):
    """Train `model`; return its record and the seconds it took."""
    feed = batches.Batches(*data["train"], 64, seed=seed, change=change)
    test = batches.Batches(*data[judge], 500, every=True)
    start = time.perf_counter()
    history = loop.fit(model, feed, test, epochs, lr, watch)
    seconds = time.perf_counter() - start
    seen = batches.Batches(data["train"][0][:1000], data["train"][1][:1000], 500, every=True)
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "train": loop.accuracy(model, seen),
        "test": history[-1]["accuracy"],
        "losses": [round(epoch["loss"], 4) for epoch in history],
        "accuracies": [epoch["accuracy"] for epoch in history],
    }


def curves(data, model) -> dict[str, list[float]]:
    """Return the accuracy on spoilt copies of the test pictures, kind by kind."""
    images, labels = data["test"]
    return {
        kind: [
            loop.accuracy(model, batches.Batches(spoil(images, **{kind: a}), labels, 500, every=True))
            for a in amounts
        ]
        for kind, amounts in SPOILT.items()
    }


def tanh(data) -> dict:
    """Return the LeNet with Tanh, as in 1998: its rate, chosen like the others', and its runs."""

    def run(seed, lr, judge="test"):
        torch.manual_seed(seed)
        return trained(data, nets.lenet(activation=torch.nn.Tanh), seed, lr=lr, judge=judge)

    found = {lr: run(0, lr, "val")["test"] for lr in RATES}
    lr = max(found, key=found.get)
    return {"chosen": lr, "val": found, "runs": [run(seed, lr) for seed in SEEDS]}


def best_rate(data, name: str) -> tuple[float, dict]:
    """Return the learning rate that does best on the val split, and what each did."""
    found = {lr: trained(data, nets.make(name), 0, lr=lr, judge="val")["test"] for lr in RATES}
    return max(found, key=found.get), found


def short(data, model, seed, *, lr, steps) -> float:
    """Train without augmentation or schedule; return the mean training loss of the last 40 steps."""
    (images, labels), rng = data["train"], torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    labels, losses = torch.as_tensor(labels), []
    for _ in range(steps):
        rows = torch.randint(len(images), (64,), generator=rng)
        losses += loop.overfit_one_batch(model, images[rows], labels[rows], optimizer, limit=1)
    return float(np.nan_to_num(np.mean(losses[-40:]), nan=99, posinf=99))


def depth(data) -> dict:
    """Return what decides whether a deep net trains: start, norm, rate, shortcuts. All by seed."""

    def runs(build, he=True, **options):
        ends = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            ends.append(short(data, nets.he_init(build()) if he else build(), seed, **options))
        print(options, [round(end, 2) for end in ends], flush=True)
        return ends

    twenty = {"torch": {}, "he": {}, "norm": {"norm": True}}
    return {
        "start": {  # a plain net of 20 layers
            name: {
                lr: runs(lambda o=options: nets.deep_net(20, **o), name != "torch", lr=lr, steps=200)
                for lr in DEEP_RATES
            }
            for name, options in twenty.items()
        },
        "degradation": {  # both with He's start and BatchNorm
            name: {
                n: runs(lambda n=n, s=shortcuts: nets.deep_net(n, shortcuts=s, norm=True), lr=0.05, steps=400)
                for n in DEPTHS
            }
            for name, shortcuts in {"plain": False, "shortcuts": True}.items()
        },
        "rates": {  # four convolutions
            name: {lr: runs(lambda n=norm: nets.norm_net(norm=n), lr=lr, steps=150) for lr in NORM_RATES}
            for name, norm in {"without": False, "with": True}.items()
        },
    }


def explorer(data, lr: float) -> dict[str, np.ndarray]:
    """Train the LeNet of seed 0 once more, and keep what it looks like after every epoch."""
    model, frames = nets.make("lenet"), []
    test = batches.Batches(*data["test"], 500, every=True)

    def keep(history):
        frames.append((model[0].weight.detach().half().numpy().copy(), loop.confusion(model, test)))

    keep([])
    record = trained(data, model, 0, lr=lr, watch=keep)
    kernels, tables = (np.stack(parts) for parts in zip(*frames, strict=True))
    first = float(np.trace(tables[0]) / tables[0].sum())
    return {
        "kernels": kernels,  # (epochs + 1, 6, 3, 5, 5)
        "confusion": tables.astype(np.uint8),  # (epochs + 1, 10, 10)
        "loss": np.array([np.nan, *record["losses"]]),
        "accuracy": np.array([first, *record["accuracies"]]),
    }


def main() -> None:
    torch.set_num_threads(1)
    data, path = pictures(), FOLDER / "training" / "record.json"
    if sys.argv[1:] == ["depth"]:
        record = json.loads(path.read_text(encoding="utf-8")) | {"depth": depth(data), "tanh": tanh(data)}
        write_whole(path, (json.dumps(record, indent=1) + "\n").encode())
        return
    record = {
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        "epochs": EPOCHS,
        "spoilt": SPOILT,
    }
    record |= {"rates": {}, "nets": {}, "plain": [], "stacks": {}, "curves": {"augmented": [], "plain": []}}
    for name in nets.NETS:
        lr, tried = best_rate(data, name)
        record["rates"][name] = {"chosen": lr, "val": tried}
        record["nets"][name] = []
        for seed in SEEDS:
            model = nets.make(name, seed)
            record["nets"][name].append(trained(data, model, seed, lr=lr))
            print(name, record["nets"][name][-1]["test"], flush=True)
            if name == "lenet":
                record["curves"]["augmented"].append(curves(data, model))
            if seed == 0 and name != "dense":
                save_weights(FOLDER / "weights" / f"{name}_stickers10.safetensors", model)
    lr = record["rates"]["lenet"]["chosen"]
    for seed in SEEDS:
        model = nets.make("lenet", seed)
        record["plain"].append(trained(data, model, seed, lr=lr, change=None))
        record["curves"]["plain"].append(curves(data, model))
        if seed == 0:
            save_weights(FOLDER / "weights" / "lenet_stickers10_plain.safetensors", model)
    for label, kernels in {"one 5x5": (5,), "two 3x3": (3, 3)}.items():
        record["stacks"][label] = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            record["stacks"][label].append(trained(data, nets.stacked_net(kernels), seed, lr=0.05, epochs=6))
        print(label, [r["test"] for r in record["stacks"][label]], flush=True)
    (FOLDER / "training").mkdir(exist_ok=True)
    record |= {"depth": depth(data), "tanh": tanh(data)}
    write_whole(path, (json.dumps(record, indent=1) + "\n").encode())
    arrays = explorer(data, lr)
    write_whole(FOLDER / "training" / "explorer.npz", lambda file: np.savez_compressed(file, **arrays))


if __name__ == "__main__":
    main()
