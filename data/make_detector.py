"""Write `weights/detector_scenes.safetensors`, its card and `training/detector.json`: the long recipe of lesson 06.

    python data/make_detector.py [FOLDER]        # goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

EfficientNet-Lite0 from block 2 on, as `segmenter_scenes.safetensors` left it, and a fresh head learn together, from scenes
that are never shown twice. FOLDER keeps the state of the training and what would be shipped if it ended there. One thread.
"""

import json
import platform
import sys
import tempfile
from pathlib import Path

import long_training
import numpy as np
import torch
import torch.nn.functional as F
from make_segmenter import colours

from cvlab.detection.one_stage import Detector, detect, loss_of, targets
from cvlab.map.judge import judge
from cvlab.store import weights
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scene, make_scenes

FOLDER, SEED, BATCH, SIDE = Path(__file__).parent, 30, 16, 192
PLAN = long_training.Plan(steps=3300, warm=50, slower=1650, every=300, keep=0.99)
JUDGED = {"seen": ("train", 5, 200), "val": ("val", 1, 200), "unseen": ("test", 1, 300)}


def warp(n: int, rng: torch.Generator) -> torch.Tensor:
    """Return n grids (n, SIDE, SIDE, 2): each looks at a part of its picture, mirrored, stretched, turned and bent."""

    def draw(low, high, *more):
        return low + (high - low) * torch.rand(n, *more, generator=rng)

    width, height, angle = torch.exp(draw(-0.4, 0)), torch.exp(draw(-0.4, 0)), draw(-0.15, 0.15)
    mirror = (torch.rand(n, generator=rng) < 0.5).float() * 2 - 1
    move_x, move_y = draw(-1, 1) * (1 - width), draw(-1, 1) * (1 - height)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [cos * width * mirror, -sin * height, move_x, sin * width * mirror, cos * height, move_y]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 1, SIDE, SIDE], align_corners=False)
    bent = F.interpolate(draw(-0.06, 0.06, 2, 5, 5), (SIDE, SIDE), mode="bicubic", align_corners=True)
    return grid + bent.permute(0, 2, 3, 1)


def boxes_left(part: torch.Tensor, before: torch.Tensor, labels: np.ndarray, zoom: float):
    """Return boxes and labels of the objects of which enough is still in the picture: 30 % and 12 pixels each way.

    Args:
        part: (SIDE, SIDE) int64, 0 the background, k object k.
        before: the same before the picture was cut.
        labels: of object 1, 2, ...
        zoom: how many pixels one pixel became.
    """
    boxes, kept = [], []
    for k, label in enumerate(labels.tolist(), 1):
        mask = part == k
        columns, lines = mask.any(0).nonzero()[:, 0], mask.any(1).nonzero()[:, 0]
        if mask.sum() < 0.3 * zoom * (before == k).sum() or min(len(columns), len(lines)) < 12:
            continue
        boxes.append([columns[0], lines[0], columns[-1] + 1, lines[-1] + 1])
        kept.append(label)
    return torch.tensor(boxes, dtype=torch.float32).view(-1, 4), torch.tensor(kept, dtype=torch.int64)


def batch_of(step: int, rng: torch.Generator) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Return fresh scenes, varied: pictures (B, 3, SIDE, SIDE) and the boxes and labels of each.

    Each object and the background change colour on their own; then the whole is cut, stretched, turned and mirrored.
    """
    scenes = [make_scene(step * BATCH + i, seed=SEED, size=SIDE, sizes=(18, 58)) for i in range(BATCH)]
    x = torch.from_numpy(np.stack([s.image for s in scenes])).float() / 127.5 - 1  # (B, H, W, 3)
    parts = [(s.masks * np.arange(1, len(s.masks) + 1)[:, None, None]).sum(0) for s in scenes]
    parts = torch.from_numpy(np.stack(parts))
    which = parts + 6 * torch.arange(BATCH)[:, None, None]
    matrices, shifts = colours(6 * BATCH, torch.rand(1, generator=rng).item(), rng)
    x = torch.einsum("bhwij,bhwj->bihw", matrices[which], x) + shifts[which].permute(0, 3, 1, 2)
    grid = warp(BATCH, rng)
    x = F.grid_sample(x.clamp(-1, 1), grid, padding_mode="border", align_corners=False)
    moved = F.grid_sample(parts[:, None].float(), grid, mode="nearest", align_corners=False)[:, 0].long()
    x = x + torch.rand(BATCH, 1, 1, 1, generator=rng) * 0.1 * torch.randn(x.shape, generator=rng)
    step_x, step_y = grid[:, :, 1:] - grid[:, :, :-1], grid[:, 1:] - grid[:, :-1]
    zoom = (2 / SIDE) ** 2 / (step_x.norm(dim=-1).mean((1, 2)) * step_y.norm(dim=-1).mean((1, 2)))
    truths = [
        boxes_left(after, before, s.labels, z)
        for after, before, s, z in zip(moved, parts, scenes, zoom.tolist(), strict=True)
    ]
    return x.contiguous(memory_format=torch.channels_last), truths


def judged(net: Detector, n: int | None = None) -> dict:
    """Return COCO's numbers of the averaged network, style by style."""
    record = {}
    for style, (split, seed, count) in JUDGED.items():
        scenes = make_scenes(n or count, split=split, seed=seed, size=SIDE)
        numbers = judge(scenes, detect(net, np.stack([s.image for s in scenes]))).numbers
        record[style] = {name: round(value, 4) for name, value in numbers.items()}
    return record


def train(folder: Path) -> dict:
    """Train from where `folder` says, and return the record; BatchNorm of the encoder stays as it is."""
    torch.manual_seed(SEED)
    net, averaged, rng = Detector(), Detector(), torch.Generator().manual_seed(SEED)
    begun = weights.load(FOLDER / "weights" / "segmenter_scenes.safetensors")
    begun = {name[8:]: value.float() for name, value in begun.items() if name.startswith("encoder.")}
    net.encoder.load_state_dict(begun, strict=False)
    net.requires_grad_(False), net.encoder.eval(), net.head.train()
    groups = long_training.learning([(net.encoder.blocks[2:], 5e-4), (net.head, 2e-3)])

    def losses_of(step):
        x, truths = batch_of(step, rng)
        wanted, truth = zip(*(targets(*one, net.cells) for one in truths), strict=True)
        return loss_of(*net.raw(x), net.cells, torch.stack(wanted), torch.stack(truth))

    file = folder / "detector_scenes.safetensors"
    record = long_training.train(
        PLAN, file, net, averaged, groups, rng, losses_of, lambda last: judged(averaged, 100)
    )
    return record | {"final": judged(averaged)}


CARD = """# detector_scenes.safetensors

- **Network:** `cvlab.detection.one_stage.Detector`: EfficientNet-Lite0 without its head, its maps of strides 8, 16 and 32 added from
  coarse to fine, one head of 96 channels on the map of stride 8; input (B, 3, 192, 192), `value / 127.5 - 1`; output: boxes (B, 576, 4) in
  pixels and scores (B, 576, 17) of the classes that COCO and VOC share, before NMS. Half precision.
- **Data:** scenes of `cvlab.world.scenes`, 192 x 192, train split, each shown once: {shown}; colours of every object changed on their own,
  cut, stretched, turned, bent, mirrored, noise added. Blocks 2 to 6 and the head learn; AdamW, focal loss of the class (its target is the
  IoU of the cell's box) plus GIoU, weights averaged. The encoder begins as `segmenter_scenes.safetensors` has it.
- **mAP@[.5:.95] / mAP@.5** on new scenes: seen styles {seen}, other styles {val}, unseen style (Twemoji) {unseen}.
  One seed, {steps} steps, {minutes} minutes of one core.
- **Made by** `data/make_detector.py`, one thread ({machine}).
- **Not for** anything but lessons: it has seen emoji only.
"""


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_detector"))
    folder.mkdir(parents=True, exist_ok=True)
    record = train(folder)
    machine = f"{platform.machine()}, torch {torch.__version__}"
    record |= {"machine": f"{machine}, one thread", "steps": PLAN.steps, "seed": SEED}
    few = np.array_split(np.array(record["losses"]), 40)
    record["losses"] = [part.mean(0).round(3).tolist() for part in few]
    write_whole(FOLDER / "training" / "detector.json", (json.dumps(record, indent=1) + "\n").encode())
    made = (folder / "detector_scenes.safetensors").read_bytes()
    write_whole(FOLDER / "weights" / "detector_scenes.safetensors", made)
    words = CARD.format(
        shown=PLAN.steps * BATCH,
        steps=PLAN.steps,
        minutes=round(record["seconds"] / 60),
        machine=machine,
        **{style: f"{n['AP']:.2f} / {n['AP50']:.2f}" for style, n in record["final"].items()},
    )
    write_whole(FOLDER / "weights" / "detector_scenes.md", words.encode())


if __name__ == "__main__":
    main()
