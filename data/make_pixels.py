"""Write `training/pixels.json`: lesson 08's training without the frozen network underneath, from pixels.

    python data/make_pixels.py [FOLDER]          # a quarter of an hour of one core; goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

The same pairs of moments, the same loss and the same width as on the maps; pictures of 48 x 48 in patches of 6, so that a
patch has 108 numbers where a place of a map has 112. FOLDER keeps each seed that is done. One thread, three seeds.
"""

import copy
import json
import math
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cvlab.dino.features import features_of
from cvlab.dino.judging import knn_accuracy, labelled_drawings, places, ranked_iou
from cvlab.distillation.maps import crop_maps
from cvlab.distillation.teaching import Projector, teach_step
from cvlab.distillation.vit import ViT
from cvlab.store.files import write_whole
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

FILE, SEEDS = Path(__file__).parent / "training" / "pixels.json", (0, 1, 2)
SIDE, PATCH, MOMENTS, BATCH, STEPS, POINTS = 48, 6, 6, 16, 2000, 10


def pictures(drawings, **options) -> tuple[torch.Tensor, np.ndarray, torch.Tensor]:
    """Return pictures (M, N, 3, 48, 48) from -1 to 1, masks and groups."""
    made = make_moments(drawings, size=SIDE, **options)
    x = torch.from_numpy(made.images).movedim(-1, 2).float() / 127.5 - 1
    return x, made.masks, torch.from_numpy(made.groups)


def to_judge() -> tuple[tuple, torch.Tensor]:
    """Return the bank and the judged pictures as pixels, and the judged masks at 8 x 8 places."""
    bank, _, bank_labels = pictures(labelled_drawings(), seed=1)
    parts = [pictures(drawings_to_judge(), split="test", seed=seed) for seed in (2, 3, 4)]
    queries, labels = torch.cat([x[0] for x, _, _ in parts]), torch.cat([groups for _, _, groups in parts])
    return (bank[0], bank_labels, queries, labels), places(
        np.concatenate([m[0] for _, m, _ in parts]), SIDE // PATCH
    )


@torch.no_grad()
def numbers(net: ViT, sets, covered) -> dict[str, float]:
    """Judge a network as lesson 08 does."""
    bank, bank_labels, queries, labels = sets
    parts = [features_of(net, part, 128) for part in (bank, queries)]
    looks = features_of(lambda x: net.attention(x)[:, :, 0, 1:].mean(1), queries)
    knn = knn_accuracy(parts[0], bank_labels, parts[1], labels)
    return {"k-NN": round(knn, 4), "IoU": round(ranked_iou(looks, covered).mean().item(), 4)}


def learn(seed: int, moments: torch.Tensor, sets, covered) -> list[dict]:
    """Train as `cvlab.distillation.teaching.teach` does, on crops of 48 x 48 pixels; return a row for each judgement."""
    torch.manual_seed(seed)
    student = Projector(ViT(SIDE, PATCH))
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), 2e-3, weight_decay=0.04)
    center, used = torch.zeros(256), 0.0
    curve = [{"step": 0, "seconds": 0.0} | numbers(teacher.net, sets, covered)]
    for step in range(1, STEPS + 1):
        begin, falling = time.process_time(), 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, step / 50) * (falling + 0.02)
        some = torch.randperm(moments.shape[1])[:BATCH]
        views = [crop_maps(moments[k, some], (0.4, 1), SIDE) for k in torch.randperm(MOMENTS)[:2].tolist()]
        loss, answers = teach_step(student, teacher, views, center, optimizer, 1 - 0.02 * falling)
        center = 0.9 * center + 0.1 * answers.mean((0, 1))
        used += time.process_time() - begin
        if step % (STEPS // POINTS) == 0:
            row = {"step": step, "seconds": round(used, 1), "loss": round(loss, 3)}
            curve.append(row | numbers(teacher.net, sets, covered))
            print(seed, curve[-1], flush=True)
    return curve


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_pixels"))
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done.json"
    runs = json.loads(done.read_text()) if done.exists() else []
    sets, covered = to_judge()
    bank, bank_labels, queries, labels = sets
    rules = {
        "pixels": knn_accuracy(bank.flatten(1), bank_labels, queries.flatten(1), labels),
        "mean colour": knn_accuracy(bank.mean((2, 3)), bank_labels, queries.mean((2, 3)), labels),
    }
    moments = pictures(drawings_to_learn(), moments=MOMENTS, seed=9)[0]
    for seed in SEEDS[len(runs) :]:
        runs.append(learn(seed, moments, sets, covered))
        write_whole(done, json.dumps(runs).encode())
    record = {
        "machine": f"{platform.machine()}, torch {torch.__version__}, one thread",
        "seeds": list(SEEDS),
        "k-NN of": {name: round(value, 4) for name, value in rules.items()},
        "runs": runs,
    }
    write_whole(FILE, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
