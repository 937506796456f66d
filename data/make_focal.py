"""Write `training/focal.json`: a dense head among its easy negatives, by seven losses, and the logits of one batch.

    python data/make_focal.py [FOLDER]      # ten minutes on one core; goes on where it was stopped
    python data/make_stickers.py --hashes   # then bring the table of data/README.md up to date

Nine anchors a cell on `make_yolo`'s frozen features, which FOLDER keeps. All ways begin from the same weights, a seed, and see the
same batches. One thread.
"""

import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from make_yolo import BATCH, CELLS, CLASSES, DECAY, RATE, SIDE, STEPS, every_run, frozen, scenes
from torchvision.ops import batched_nms

from cvlab.detection.anchors import make_anchors, match_anchors
from cvlab.detection.losses import focal_loss
from cvlab.detection.offsets import decode_boxes, encode_boxes
from cvlab.detection.yolo import GridHead
from cvlab.map.judge import judge
from cvlab.store.files import write_whole

OUT = Path(__file__).parent / "training" / "focal.json"
ANCHORS = make_anchors(CELLS, CELLS, SIDE / CELLS, sizes=[45, 65, 95], ratios=[0.5, 1, 2])
EACH, PRIOR, SHOWN = (
    9,
    0.01,
    16,
)  # anchors a cell; the first answer to everything; scenes of the batch that is kept
WAYS = (
    "cross-entropy",
    "cross-entropy, rare at the start",
    "weighted cross-entropy, alpha 0.75",
    "3 negatives at random for each positive",
    "3 hardest negatives (OHEM, SSD)",
    "focal",
    "focal, rare at the start (RetinaNet)",
)


def per_answer(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def class_loss(way: str, logits, targets, match, rng) -> torch.Tensor:
    """Return the loss of the classes, a positive anchor's share.

    Args:
        logits, targets: (B, anchors, classes).
        match: (B, anchors), -1 where nothing is, -2 ignored.
        rng: draws the negatives at random.
    """
    positive, negative = match >= 0, match == -1
    n = max(int(positive.sum()), 1)
    if way.startswith("focal"):
        return focal_loss(logits, targets)[positive | negative].sum() / n
    if way.startswith("weighted"):
        return focal_loss(logits, targets, alpha=0.75, gamma=0)[positive | negative].sum() / n
    each = per_answer(logits, targets).sum(2)  # (B, anchors)
    if way.startswith("cross-entropy"):
        return each[positive | negative].sum() / n
    of_negatives = each[negative]
    order = torch.rand(len(of_negatives), generator=rng) if "random" in way else of_negatives.detach()
    return (each[positive].sum() + of_negatives[order.topk(3 * n).indices].sum()) / n


def split(answer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return class logits (B, anchors, classes) and offsets (B, anchors, 4)."""
    each = answer.unflatten(3, (EACH, CLASSES + 4)).flatten(1, 3)
    return each[..., :CLASSES], each[..., CLASSES:]


def targets_of(data: dict, matches: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return what each anchor is to say of each class, (B, anchors, classes)."""
    targets = torch.zeros(len(rows), len(ANCHORS), CLASSES)
    for b, r in enumerate(rows.tolist()):
        there = matches[r] >= 0
        targets[b, there] = F.one_hot(data["labels"][r][matches[r][there]], CLASSES).float()
    return targets


def histogram(head, data, matches) -> dict:
    """Return how often each logit stands for a positive and for a negative answer, in the first scenes."""
    rows = torch.arange(SHOWN)
    with torch.no_grad():  # a copy, so that the batch leaves no trace in the norms
        logits, _ = split(copy.deepcopy(head)(data["fine"][rows].float(), data["coarse"][rows].float()))
    known, targets = matches[rows] != -2, targets_of(data, matches, rows)
    place = (10 * logits[known]).round().long().clamp(-150, 150) + 150
    right = targets[known] == 1
    counts = {
        name: torch.bincount(place[which], minlength=301).tolist()
        for name, which in (("positives", right), ("negatives", ~right))
    }
    return counts | {
        "anchors": int((matches[rows] >= 0).sum()),
        "background": int((matches[rows] == -1).sum()),
    }


@torch.no_grad()
def found(head, data: dict) -> list[dict]:
    """Return what a trained head says of scenes."""
    head.eval()
    answers = []
    for fine, coarse in zip(data["fine"].float().split(25), data["coarse"].float().split(25), strict=True):
        for logits, offsets in zip(*split(head(fine, coarse)), strict=True):
            score, place = logits.sigmoid().flatten().topk(300)
            box = decode_boxes(offsets[place // CLASSES], ANCHORS[place // CLASSES]).clamp(0, SIDE)
            kept = batched_nms(box, score, place % CLASSES, 0.55)[:50]
            answers.append({"boxes": box[kept], "scores": score[kept], "labels": place[kept] % CLASSES})
    return answers


def trained(way: str, seed: int, folder: Path) -> dict:
    """Train one way with one seed, and return its record."""
    data = frozen(folder, "train")
    matches = torch.stack([match_anchors(ANCHORS, boxes, 0.4, 0.5) for boxes in data["boxes"]])
    torch.manual_seed(seed)
    head, rng = GridHead(EACH * (CLASSES + 4)), torch.Generator().manual_seed(seed)
    bias = head.out.bias.data.view(EACH, CLASSES + 4)
    bias.zero_()
    if "rare" in way:
        bias[:, :CLASSES] = -np.log((1 - PRIOR) / PRIOR)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.15)
    record, begin, losses = {"way": way, "seed": seed, "batches": {}}, time.process_time(), []
    for step in range(STEPS):
        if seed == 0 and step in (0, STEPS // 10):
            record["batches"][str(step)] = histogram(head, data, matches)
        rows = torch.randint(len(matches), (BATCH,), generator=rng)
        logits, offsets = split(head(data["fine"][rows].float(), data["coarse"][rows].float()))
        match, there = matches[rows], matches[rows] >= 0
        truth = torch.cat([data["boxes"][r][matches[r][matches[r] >= 0]] for r in rows])
        goal = encode_boxes(truth, ANCHORS.expand(len(rows), -1, -1)[there])
        kind = class_loss(way, logits, targets_of(data, matches, rows), match, rng)
        loss = kind + F.smooth_l1_loss(offsets[there], goal, beta=0.1, reduction="sum") / len(goal)
        losses.append(kind.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    record |= {
        "cpu": round(time.process_time() - begin, 1),
        "first loss": round(losses[0], 2),
        "loss": [round(float(np.mean(part)), 3) for part in np.array_split(losses, 25)],
    }
    if seed == 0:
        record["batches"][str(STEPS)] = histogram(head, data, matches)
    for which in ("seen", "unseen"):
        numbers = judge(scenes(which), found(head, frozen(folder, which))).numbers
        record[which] = {name: round(numbers[name], 4) for name in ("AP", "AP50")}
    return record


def main() -> None:
    torch.set_num_threads(1)
    runs = every_run(WAYS, trained, "focal_")
    count = {
        "anchors": len(ANCHORS),
        "classes": CLASSES,
        "steps": STEPS,
        "batch": BATCH,
        "scenes": len(scenes("seen")),
    }
    write_whole(OUT, (json.dumps(count | {"runs": runs}) + "\n").encode())


if __name__ == "__main__":
    main()
