"""Write `weights/segmenter_scenes.safetensors`, its card and `training/segmenter.json`: the long recipe of lesson 05.

    python data/make_segmenter.py [FOLDER]       # after make_segmentation.py, with its FOLDER; goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

The decoder of seed 0 is where it begins. Then EfficientNet-Lite0 from block 2 on and the decoder learn together, from scenes
that are never shown twice. FOLDER keeps the state of the training and, every `PLAN.every` steps, what would be shipped if
it ended there. `PLAN.steps` is as long as there was time for; an hour of a quiet core has room for some 6000. One thread.
"""

import json
import math
import platform
import sys
import tempfile
from pathlib import Path

import long_training
import numpy as np
import torch
import torch.nn.functional as F

from cvlab.segmentation.scores import judged_maps
from cvlab.segmentation.segmenter import Segmenter, label_scores
from cvlab.segmentation.targets import label_map
from cvlab.segmentation.topdown import SIDE
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scene, make_scenes

FOLDER, SEED, BATCH = Path(__file__).parent, 20, 16
PLAN = long_training.Plan(steps=400, warm=30, slower=150, every=100, keep=0.98)
BACKGROUND, SMOOTH = 0.4, 0.05  # its weight in the loss; of the labels
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
    """Return the scores of the averaged network, style by style."""
    record = {}
    for style, (split, seed, count) in JUDGED.items():
        scenes = make_scenes(n or count, split=split, seed=seed)
        p = label_scores(net, np.stack([s.image for s in scenes]), flips=flips)
        record[style] = judged_maps(p, np.stack([label_map(s) for s in scenes]))
    return record


def train(folder: Path) -> dict:
    """Train from where `folder` says, and return the record; BatchNorm of the encoder stays as it is."""
    torch.manual_seed(SEED)
    net, averaged, rng = Segmenter(), Segmenter(), torch.Generator().manual_seed(SEED)
    net.decoder.load_state_dict(torch.load(folder / "decoder.pt", weights_only=True))
    net.requires_grad_(False), net.encoder.eval(), net.decoder.train()
    groups = long_training.learning([(net.encoder.blocks[2:], 5e-4), (net.decoder, 1e-3)])

    def losses_of(step):
        x, labels = batch_of(step, SIDE, rng)
        return [loss_of(net(x), labels)]

    def scores(last):
        return judged(averaged, None if last else 100, flips=False)

    weights = folder / "segmenter_scenes.safetensors"
    record = long_training.train(PLAN, weights, net, averaged, groups, rng, losses_of, scores)
    return record | {"final": judged(averaged), "without flips": judged(averaged, flips=False)}


CARD = """# segmenter_scenes.safetensors

- **Network:** `cvlab.segmentation.segmenter.Segmenter`: EfficientNet-Lite0 without its head, four levels, a top-down decoder of 64
  channels; input (B, 3, 128, 128), `value / 127.5 - 1`; output: logits of background and the 17 classes that COCO and VOC share,
  (B, 18, 32, 32). Half precision.
- **Data:** scenes of `cvlab.world.scenes`, 96 x 96, train split, each shown once: {shown}; colours of every object changed on their own,
  scaled, turned, moved, mirrored, noise added. Blocks 2 to 6 and the decoder learn; AdamW, cross-entropy plus Dice, weights averaged.
  It begins with ImageNet's weights and with the decoder that `data/make_segmentation.py` trained on frozen levels.
- **mIoU** of the classes without the background, on new scenes, with mirrored views: seen styles {seen}, unseen style {unseen}; of four groups
  {seen_groups} and {unseen_groups}. One seed, {steps} steps, {minutes} minutes of one core that was shared: short of the hour that was planned.
- **Made by** `data/make_segmenter.py`, one thread ({machine}).
- **Not for** anything but lessons: it has seen emoji only.
"""


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_segmentation"))
    record = train(folder)
    machine = f"{platform.machine()}, torch {torch.__version__}"
    record |= {"machine": f"{machine}, one thread", "steps": PLAN.steps, "seed": SEED}
    few = np.array_split([loss for (loss,) in record["losses"]], 20)
    record["losses"] = [round(float(np.mean(part)), 3) for part in few]
    write_whole(FOLDER / "training" / "segmenter.json", (json.dumps(record, indent=1) + "\n").encode())
    write_whole(
        FOLDER / "weights" / "segmenter_scenes.safetensors",
        (folder / "segmenter_scenes.safetensors").read_bytes(),
    )
    seen, unseen = record["final"]["seen"], record["final"]["unseen"]
    words = CARD.format(
        shown=PLAN.steps * BATCH,
        seen=f"{seen['classes']:.3f}",
        unseen=f"{unseen['classes']:.3f}",
        seen_groups=f"{seen['groups']:.3f}",
        unseen_groups=f"{unseen['groups']:.3f}",
        steps=PLAN.steps,
        minutes=round(record["seconds"] / 60),
        machine=machine,
    )
    write_whole(FOLDER / "weights" / "segmenter_scenes.md", words.encode())


if __name__ == "__main__":
    main()
