"""Write `training/features.json`: which level of EfficientNet-Lite0 knows most, and neighbours against a linear probe.

    python data/make_features.py                 # about five minutes on one core
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

Levels: three draws of 320 and of 10 training pictures, judged on 500 pictures each of the styles trained on, of two
others ("val") and of a third ("test"). Pictures of 128 pixels, the very same enlarged to 224, and others drawn at 224, the
size on which the network was trained. Neighbours: "block 6" at 128 pixels, 1280 training pictures to draw from. One thread.
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from cvlab.store.files import write_whole
from cvlab.transfer_learning.backbone import backbone, prepare
from cvlab.transfer_learning.levels import LEVELS, each_level
from cvlab.transfer_learning.neighbours import knn_curve
from cvlab.world.single import make_pictures

FOLDER = Path(__file__).parent
COMPARED = ("block 4", "block 5", "block 6", "head")
JUDGED = ("seen", "val", "test")


def pictures(size: int) -> dict:
    """Return the pictures of all splits at one size."""
    return {
        "train": make_pictures(1280, seed=9, size=size),
        "seen": make_pictures(500, seed=5, size=size),
        "val": make_pictures(500, "val", size=size),
        "test": make_pictures(500, "test", size=size),
    }


@torch.inference_mode()
def pooled(images: np.ndarray, size: int) -> dict[str, torch.Tensor]:
    """Return the compared levels' features of pictures, enlarged to `size` first."""
    parts = {level: [] for level in COMPARED}
    for i in range(0, len(images), 50):
        x = prepare(images[i : i + 50])
        if x.shape[2] != size:
            x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
        found = dict(zip(LEVELS, each_level(backbone(), x), strict=True))
        for level in COMPARED:
            parts[level].append(found[level].mean((2, 3)))
    return {level: torch.cat(rows) for level, rows in parts.items()}


def scaled(kind: str, train: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Give features unit length, or standardise each number by the training pictures, to length 1 on average."""
    if kind == "unit length":
        return F.normalize(other, dim=1)
    spread = train.std(0, correction=0) + 1e-6
    return (other - train.mean(0)) / spread / train.shape[1] ** 0.5


def accuracies(found: dict, labels: dict, n: int, kind: str, level: str) -> dict[str, list[float]]:
    """Return the linear probe's accuracy by split for three draws of n pictures a class."""
    out = {split: [] for split in JUDGED}
    for draw in range(3):
        rows = slice(draw * 10 * n, (draw + 1) * 10 * n)  # the classes take turns
        train = found["train"][level][rows]
        model = LogisticRegression(C=10, max_iter=200).fit(scaled(kind, train, train), labels["train"][rows])
        for split in JUDGED:
            score = model.score(scaled(kind, train, found[split][level]), labels[split])
            out[split].append(round(score, 4))
    return out


def main() -> None:
    """Measure all and write the file."""
    torch.set_num_threads(1)
    small, large = pictures(128), pictures(224)
    labels = {split: made.labels for split, made in small.items()}
    levels, neighbours = {}, {}
    for name, made, size in (
        ("128 px", small, 128),
        ("128 px, enlarged to 224", small, 224),
        ("224 px", large, 224),
    ):
        found = {split: pooled(part.images, size) for split, part in made.items()}
        levels[name] = {
            str(n): {
                kind: {level: accuracies(found, labels, n, kind, level) for level in COMPARED}
                for kind in ("unit length", "standardised")
            }
            for n in (1, 32)
        }
        print(name, json.dumps(levels[name]), flush=True)
        if size == 128:
            x, y = found["train"]["block 6"], torch.from_numpy(labels["train"])
            judged = {split: (found[split]["block 6"], torch.from_numpy(labels[split])) for split in JUDGED}
            neighbours = knn_curve({"features": x, "labels": y}, judged, (32, 64, 128))
    record = {
        "machine": f"{platform.machine()}, torch {torch.__version__.split('+')[0]}, one thread",
        "levels": levels,
        "neighbours": neighbours,
    }
    write_whole(FOLDER / "training" / "features.json", json.dumps(record, indent=1).encode() + b"\n")


if __name__ == "__main__":
    main()
