"""Write `weights/segmenter_scenes.safetensors`, its card and `training/segmenter.json`: the long recipe of lesson 05.

    python data/make_segmenter.py [FOLDER]       # about an hour on one core; goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

EfficientNet-Lite0 from block 2 on and a decoder of 64 channels learn together from scenes that are never shown twice.
FOLDER keeps the state of the training and, every `EVERY` steps, what would be shipped if it ended there. One thread.
"""

import json
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.segmentation.segmenter import Segmenter, label_scores
from cvlab.segmentation.targets import GROUP_OF, label_map
from cvlab.world.scenes import make_scene, make_scenes

FOLDER, SEED, BATCH, EVERY, SAVE = Path(__file__).parent, 20, 16, 250, 50
STAGES = ((1400, 128), (600, 192))  # steps, and the side of the pictures in them
RATES = {"encoder": 5e-4, "decoder": 2e-3}
BACKGROUND, SMOOTH, KEEP = 0.4, 0.05, 0.997  # its weight in the loss; of the labels; of the averaged weights
JUDGED = {"seen": ("train", 5, 200), "val": ("val", 1, 200), "unseen": ("test", 1, 300)}


def colours(n: int, strength: float, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n random changes of colour: matrices (n, 3, 3) that turn hues, fade and darken, and shifts (n, 3)."""

    def draw(low, high):
        return low + (high - low) * torch.rand(n, generator=rng)

    angle = strength * draw(-1, 1)
    fade, light = torch.exp(strength * draw(-0.9, 0.4)), torch.exp(strength * draw(-0.4, 0.3))
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    flat = torch.eye(3) - grey  # the plane of colours without light
    turned = torch.cos(angle)[:, None, None] * flat + torch.sin(angle)[:, None, None] * cross
    return (grey + fade[:, None, None] * turned) * light[:, None, None], strength * draw(-0.2, 0.2)[
        :, None
    ].repeat(1, 3)


def batch_of(step: int, side: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return fresh scenes, varied: pictures (B, 3, side, side), label maps (B, 96, 96).

    Each object and the background change colour on their own; then the whole is scaled, moved, turned and mirrored.
    """
    scenes = [make_scene(step * BATCH + i, seed=SEED) for i in range(BATCH)]
    x = torch.from_numpy(np.stack([s.image for s in scenes])).float() / 127.5 - 1  # (B, H, W, 3)
    labels = torch.from_numpy(np.stack([label_map(s) for s in scenes]))
    part = np.stack([(s.masks * np.arange(1, len(s.masks) + 1)[:, None, None]).sum(0) for s in scenes])
    part = torch.from_numpy(part) + 6 * torch.arange(BATCH)[:, None, None]
    strength = torch.rand(1, generator=rng).item()
    matrices, shifts = colours(6 * BATCH, strength, rng)
    x = torch.einsum("bhwij,bhwj->bihw", matrices[part], x) + shifts[part].permute(0, 3, 1, 2)
    size = torch.exp(torch.empty(BATCH).uniform_(-0.4, 0.4, generator=rng))  # how much of the scene is seen
    angle = torch.empty(BATCH).uniform_(-0.2, 0.2, generator=rng)
    mirror = (torch.rand(BATCH, generator=rng) < 0.5).float() * 2 - 1
    move = torch.empty(BATCH, 2).uniform_(-0.25, 0.25, generator=rng)
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    rows = torch.stack([cos * mirror, -sin, move[:, 0], sin * mirror, cos, move[:, 1]], 1).view(BATCH, 2, 3)
    options = {"align_corners": False, "padding_mode": "reflection"}
    x = F.grid_sample(
        x.clamp(-1, 1), F.affine_grid(rows, [BATCH, 3, side, side], align_corners=False), **options
    )
    grid = F.affine_grid(rows, [BATCH, 1, 96, 96], align_corners=False)
    labels = F.grid_sample(labels[:, None].float(), grid, mode="nearest", **options)[:, 0].long()
    x = x + torch.rand(BATCH, 1, 1, 1, generator=rng) * 0.1 * torch.randn(x.shape, generator=rng)
    return x.contiguous(memory_format=torch.channels_last), labels


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice over the classes that the batch shows."""
    weight = torch.ones(logits.shape[1])
    weight[0] = BACKGROUND
    logits = F.interpolate(logits, labels.shape[-2:], mode="bilinear", align_corners=False)
    entropy = F.cross_entropy(logits, labels, weight=weight, label_smoothing=SMOOTH)
    p = logits.softmax(1)
    truth = F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).float()
    both, sums = (p * truth).sum((0, 2, 3)), (p + truth).sum((0, 2, 3))
    shown = truth.sum((0, 2, 3)) > 0
    return entropy + 1 - (2 * both / sums)[shown].mean()


def judged(net, n: int | None = None, flips: bool = True) -> dict:
    """Return mIoU of the 17 classes and of the four groups, style by style."""
    record = {}
    for style, (split, seed, count) in JUDGED.items():
        scenes = make_scenes(n or count, split=split, seed=seed)
        truth = np.stack([label_map(s) for s in scenes])
        p = label_scores(net, np.stack([s.image for s in scenes]), flips=flips)
        record[style] = {"classes": mean_iou(p.argmax(1).numpy(), truth, 18)}
        grouped = torch.zeros(len(p), 5, 96, 96).index_add_(1, torch.from_numpy(GROUP_OF), p)
        record[style]["groups"] = mean_iou(grouped.argmax(1).numpy(), GROUP_OF[truth], 5)
        record[style]["things"] = mean_iou(
            1 - p[:, 0].numpy().round().astype(int), (truth > 0).astype(int), 2
        )
    return record


def mean_iou(found: np.ndarray, truth: np.ndarray, classes: int) -> float:
    """Return the mean over all classes but the background of IoU over all pixels of all scenes."""
    table = np.bincount((truth * classes + found).ravel(), minlength=classes**2).reshape(classes, classes)
    both = table.diagonal()
    return round(float((both / np.maximum(table.sum(0) + table.sum(1) - both, 1))[1:].mean()), 4)


def learning(net: Segmenter) -> list[dict]:
    """Let what is to learn learn, and return it as groups for the optimizer; BatchNorm of the encoder stays as it is."""
    net.requires_grad_(False)
    groups = []
    for name, parts in (("encoder", net.encoder.blocks[2:]), ("decoder", net.decoder)):
        parts.requires_grad_(True)
        groups.append({"params": list(parts.parameters()), "lr": RATES[name], "rate": RATES[name]})
    net.encoder.eval(), net.decoder.train()
    return groups


def train(folder: Path) -> dict:
    """Train from where `folder` says, and return the record."""
    torch.manual_seed(SEED)
    net, averaged, rng = Segmenter(), Segmenter(), torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(learning(net), weight_decay=0.05)
    averaged.load_state_dict(net.state_dict())
    record, step, state = {"seconds": 0.0, "losses": [], "curve": []}, 0, folder / "state.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        net.load_state_dict(saved["net"]), averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"]), rng.set_state(saved["rng"])
        record, step = json.loads(saved["record"]), saved["step"]
    sides = [side for steps, side in STAGES for _ in range(steps)]
    begin = time.process_time()
    while step < len(sides):
        left = (len(sides) - step) / STAGES[1][0]  # the second stage ends slowly
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * min(1, (step + 1) / 100, left)
        x, labels = batch_of(step, sides[step], rng)
        loss = loss_of(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        record["losses"].append(round(loss.item(), 3))
        keep = min(KEEP, step / (step + 10))
        for mean, new in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
            mean.lerp_(new, 1 - keep) if mean.is_floating_point() else mean.copy_(new)
        if step % SAVE == 0:
            record["seconds"] = round(record["seconds"] + time.process_time() - begin, 1)
            print(step, record["seconds"], round(float(np.mean(record["losses"][-SAVE:])), 3), flush=True)
            if step % EVERY == 0 or step == len(sides):
                scores = judged(averaged, None if step == len(sides) else 100, flips=False)
                record["curve"].append({"step": step, "seconds": record["seconds"], **scores})
                print(record["curve"][-1], flush=True)
                averaged.save(folder / "segmenter_scenes.safetensors")
            saved = {
                "net": net.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            saved |= {"rng": rng.get_state(), "record": json.dumps(record), "step": step}
            torch.save(saved, folder / "state.new"), (folder / "state.new").replace(state)
            begin = time.process_time()
    return record | {"final": judged(averaged), "without flips": judged(averaged, flips=False)}


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_segmenter"))
    folder.mkdir(exist_ok=True)
    record = train(folder)
    print(record["final"], record["without flips"])


if __name__ == "__main__":
    main()
