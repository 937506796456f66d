"""Time to accuracy on CIFAR-10: the plain recipe of many first lessons against this course's net and recipe.

    python bench/cifar10.py SUBSET.npz                       # both, in the same run
    python bench/cifar10.py SUBSET.npz --ablate --seeds 3    # what each trick buys: leave one out at a time

The file holds `jpeg` (bytes), `offset`, `label`, `is_test`, as a subset of CIFAR-10 may be packed; a folder is read as torchvision's
CIFAR-10. Nothing is fetched. Times are of training alone, on the threads torch uses; test pictures are judged once a stage ends.
"""

import argparse
import io
import platform
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from cvlab import batches, nets, train


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


@dataclass(frozen=True)
class Recipe:
    """What the fast training does; each switch can be turned off alone."""

    epochs: int = 10
    width: int = 16
    lr: float = 0.4
    one_cycle: bool = True
    smoothing: float = 0.1
    flips: bool = True
    shifts: int = 2
    test_flips: bool = True
    channels_last: bool = True
    whiten: bool = True
    progressive: bool = True
    bf16: bool = True
    decay: float = 5e-4


class FastNet(nn.Module):
    """The lesson's ideas, wider: a stem of stride 2, residual blocks, max pooling at the end."""

    def __init__(self, width: int):
        super().__init__()
        w = width
        self.stem = nn.Conv2d(3, 2 * w, 4, stride=2, padding=1, bias=False)  # (B, 2w, 16, 16)
        self.norm = nn.BatchNorm2d(2 * w)
        self.blocks = nn.Sequential(
            nets.ResidualBlock(2 * w, 2 * w),
            nets.ResidualBlock(2 * w, 4 * w, 2),
            nets.ResidualBlock(4 * w, 8 * w, 2),
        )
        self.head = nn.Linear(8 * w, 10, bias=False)

    def forward(self, x):
        x = self.blocks(self.norm(self.stem(x)).relu())  # (B, 8w, 4, 4)
        return self.head(x.amax(dim=(2, 3))) * 0.25


def whiten(stem: nn.Conv2d, images: torch.Tensor) -> None:
    """Start the stem with the directions in which patches of the pictures vary, scaled to equal size, and their negatives."""
    k = stem.kernel_size[0]
    patches = (
        F.unfold(images[:: max(1, len(images) // 500)], k, stride=3).transpose(1, 2).reshape(-1, 3 * k * k)
    )
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    keep = min(len(values), stem.out_channels // 2)
    filters = (vectors[:, -keep:] / (values[-keep:] + 0.01).sqrt()).T.reshape(keep, 3, k, k)
    with torch.no_grad():
        stem.weight[: 2 * keep] = torch.cat([filters, -filters]) / 2


def notes(data, seed: int) -> tuple[float, float]:
    """LeNet-style, SGD with lr 0.001 and momentum 0.9, batches of 4, 5 epochs; return accuracy and seconds."""
    (x, y), (x_test, y_test) = data
    model = nets.make("lenet", seed)
    optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9)
    start = time.perf_counter()
    feed = batches.Batches(x, y, 4, seed=seed)
    for _ in range(5):
        train.train_epoch(model, feed, F.cross_entropy, optimizer)
    seconds = time.perf_counter() - start
    return train.accuracy(model, batches.Batches(x_test, y_test, 500, every=True)), seconds


def fast(data, seed: int, recipe: Recipe) -> tuple[float, float]:
    """Train by `recipe`; return the accuracy on the test pictures and the seconds of training."""
    (x, y), test = data
    torch.manual_seed(seed)
    model, start = FastNet(recipe.width), time.perf_counter()
    if recipe.whiten:
        whiten(model.stem, x)
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    change = (lambda images, dice: _changed(images, dice, recipe)) if recipe.flips or recipe.shifts else None
    feed = batches.Batches(x, y, 256, seed=seed, change=change)
    total = recipe.epochs * len(feed)
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.lr, momentum=0.9, weight_decay=recipe.decay, nesterov=True
    )
    shape = {"pct_start": 0.25, "div_factor": 10, "final_div_factor": 100}
    schedule = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=total, **shape)
        if recipe.one_cycle
        else None
    )
    for epoch in range(recipe.epochs):
        model.train()
        small = recipe.progressive and epoch < 0.4 * recipe.epochs  # 24 x 24 costs half of 32 x 32
        for images, labels in feed:
            images = F.interpolate(images, size=24, mode="bilinear", antialias=True) if small else images
            if recipe.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
                logits = model(images)
            F.cross_entropy(logits.float(), labels, label_smoothing=recipe.smoothing).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
    seconds = time.perf_counter() - start
    return judge(model, test, flips=recipe.test_flips), seconds


def _changed(images, dice, recipe: Recipe):
    if recipe.flips:
        return batches.augment(images, dice, shift=recipe.shifts, colour=0)
    return images


def judge(model, test, *, flips: bool) -> float:
    """Return the accuracy; with `flips`, of the mean answer for each picture and its mirror image."""
    x, y = test
    model.eval()
    right = 0
    with torch.no_grad():
        for part in torch.arange(len(x)).split(500):
            logits = model(x[part])
            logits = logits + model(x[part].flip(3)) if flips else logits
            right += int((logits.argmax(dim=1) == torch.as_tensor(y)[part]).sum())
    return right / len(x)


def ablate(data, recipe: Recipe, seeds: int) -> None:
    """Leave out one trick at a time."""
    off = {
        "one cycle": {"one_cycle": False, "lr": 0.05},
        "label smoothing": {"smoothing": 0.0},
        "mirrored and shifted copies": {"flips": False, "shifts": 0},
        "mirror images at test time": {"test_flips": False},
        "channels last": {"channels_last": False},
        "whitening stem": {"whiten": False},
        "progressive resizing": {"progressive": False},
        "bfloat16": {"bf16": False},
    }
    print(
        f"\n{recipe.epochs} epochs, {seeds} seeds: all tricks, then all but one\n| left out | accuracy | seconds |\n|---|---|---|"
    )
    for name, change in {"nothing": {}, **off}.items():
        runs = [fast(data, seed, replace(recipe, **change)) for seed in range(seeds)]
        scores, seconds = zip(*runs, strict=True)
        print(
            f"| {name} | {statistics.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f}) | {statistics.mean(seconds):.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--epochs", type=int, nargs="+", default=[2, 10, 20], help="of the fast recipe; one training each"
    )
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--skip-notes", action="store_true")
    options = parser.parse_args()
    data = [(batches.to_tensor(images), labels) for images, labels in read(options.data)]
    print(
        f"{len(data[0][1])} and {len(data[1][1])} pictures; {platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    recipe = Recipe(width=options.width, lr=options.lr)
    if options.ablate:
        ablate(data, replace(recipe, epochs=options.epochs[0]), options.seeds)
        return
    for seed in range(options.seeds):
        if not options.skip_notes:
            accuracy, base = notes(data, seed)
            print(f"notes' recipe, seed {seed}: accuracy {accuracy:.3f} in {base:.0f} s", flush=True)
        for epochs in options.epochs:
            accuracy, seconds = fast(data, seed, replace(recipe, epochs=epochs))
            ratio = "" if options.skip_notes else f", {seconds / base:.2f} of the notes' time"
            print(
                f"fast, {epochs} epochs, seed {seed}: accuracy {accuracy:.3f} in {seconds:.0f} s{ratio}",
                flush=True,
            )


if __name__ == "__main__":
    main()
