"""Write `training/yolo.json`: what each piece of YOLO's later versions gives, alone, on the same frozen features.

    python data/make_yolo.py [FOLDER]       # half an hour on one core; goes on where it was stopped
    python data/make_stickers.py --hashes   # then bring the table of data/README.md up to date

Every row is the base with one thing changed. All seeds learn from the same scenes; they change weights and order. Steps are equal, and no
clock decides. Nothing was chosen on the scenes that are reported. One thread.
"""

import functools
import json
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import box_iou

from cvlab.detection.mosaics import mosaic
from cvlab.detection.overlaps import ciou, giou
from cvlab.detection.priors import k_means, shape_iou
from cvlab.detection.yolo import GridHead
from cvlab.map.judge import judge
from cvlab.regions.suppression import answers_of
from cvlab.segmentation.topdown import WIDTHS, maps_of, mixing
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scenes

OUT, SEEDS, SIDE, CELLS, CLASSES = Path(__file__).parent / "training" / "yolo.json", (0, 1), 192, 12, 17
STEPS, BATCH, RATE, DECAY, MOSAICS = 250, 16, 4e-3, 0.05, 400
SCENES = {"train": ("train", 0, 1000), "seen": ("train", 5, 150), "unseen": ("test", 1, 150)}
BY_HAND = ((32.0, 32.0), (64.0, 64.0), (128.0, 128.0))


@dataclass(frozen=True)
class Way:
    """One row: the base, or the base with one thing changed."""

    name: str
    squared: bool = False  # confidence and class by squared errors, as in v1
    priors: str = ""  # "", "by hand" or "k-means"
    reach: float = 1.0  # the centre may move so many cells; a plain sigmoid: 1
    box: str = "squared"  # or "giou", "ciou"
    spp: bool = False
    decoupled: bool = False
    mosaic: bool = False
    dynamic: bool = False


WAYS = (
    Way("base"),
    Way("squared errors for all (v1)", squared=True),
    Way("3 priors by hand", priors="by hand"),
    Way("3 priors by k-means (v2)", priors="k-means"),
    Way("pooled context, SPP (v3-spp)", spp=True),
    Way("mosaic (v4)", mosaic=True),
    Way("stretched sigmoid (v4, v5)", reach=2.0),
    Way("GIoU for the box", box="giou"),
    Way("CIoU for the box (v4)", box="ciou"),
    Way("two branches (YOLOX)", decoupled=True),
    Way("centre may leave its cell", reach=3.0),
    Way("the same, cells chosen by cost (YOLOX)", reach=3.0, dynamic=True),
    Way("all that YOLOX has", reach=3.0, dynamic=True, box="giou", spp=True, decoupled=True, mosaic=True),
)


@functools.cache
def scenes(which: str):
    """Return the scenes of one name."""
    split, seed, n = SCENES[which]
    return make_scenes(n, split=split, seed=seed, size=SIDE)


def frozen(folder: Path, which: str) -> dict:
    """Return the two coarsest levels, boxes and labels of scenes, kept in a folder."""
    path = folder / f"{which}.pt"
    if not path.exists():
        if which == "mosaic":
            rng = np.random.default_rng(0)
            made = [mosaic(scenes("train"), rng) for _ in range(MOSAICS)]
            images = np.stack([image for image, _, _ in made])
            boxes, labels = ([torch.from_numpy(one[k]) for one in made] for k in (1, 2))
        else:
            images = np.stack([s.image for s in scenes(which)])
            boxes = [torch.from_numpy(s.boxes).float() for s in scenes(which)]
            labels = [torch.from_numpy(s.labels).long() for s in scenes(which)]
        fine, coarse = maps_of(images, side=SIDE)[2:]
        kept = {"fine": fine.clone(), "coarse": coarse.clone(), "boxes": boxes, "labels": labels}
        torch.save(kept, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
    return torch.load(path, weights_only=True)


class Head(nn.Module):
    """`GridHead`, with what a way adds: pooled context before it, priors, a second branch for the boxes."""

    def __init__(self, way: Way, sizes: torch.Tensor):
        super().__init__()
        self.way = way
        self.priors = {
            "": None,
            "by hand": torch.tensor(BY_HAND),
            "k-means": k_means(sizes, 3),
        }[way.priors]
        self.many = 1 if self.priors is None else len(self.priors)
        self.grid = GridHead(self.many * (5 + CLASSES))
        if way.decoupled:
            self.grid.mix[1] = nn.Identity()
            self.grid.out = nn.Identity()
            self.what, self.where = (
                nn.Sequential(mixing(96), nn.Conv2d(96, n * self.many, 1)) for n in (CLASSES, 5)
            )
        if way.spp:
            self.pools = nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in (3, 5))
            self.squeeze = nn.Sequential(
                nn.Conv2d(3 * WIDTHS[3], WIDTHS[3], 1, bias=False), nn.BatchNorm2d(WIDTHS[3]), nn.ReLU()
            )
        y, x = torch.meshgrid(torch.arange(CELLS), torch.arange(CELLS), indexing="ij")
        self.register_buffer("corner", torch.stack([x, y], -1)[None, :, :, None].float())

    def forward(self, fine, coarse):
        """Return centres (in cells), sizes (in pixels), confidence and class logits of every cell's boxes."""
        if self.way.spp:
            coarse = self.squeeze(torch.cat([coarse, *(pool(coarse) for pool in self.pools)], 1))
        x = self.grid(fine, coarse)
        if self.way.decoupled:
            x = x.permute(0, 3, 1, 2)
            box, kind = (
                b(x).permute(0, 2, 3, 1).unflatten(3, (self.many, -1)) for b in (self.where, self.what)
            )
        else:
            box, kind = x.unflatten(3, (self.many, -1)).split((5, CLASSES), 4)
        centre = self.corner + 0.5 + self.way.reach * (box[..., 1:3].sigmoid() - 0.5)
        if self.priors is None:
            size = SIDE * box[..., 3:5].sigmoid() ** 2
        else:
            size = self.priors * box[..., 3:5].clamp(-4, 4).exp()
        return centre, size, box[..., 0], kind


def corners(centre: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Return boxes x0, y0, x1, y1 in pixels."""
    centre = centre * SIDE / CELLS
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def chosen(head: Head, boxes: torch.Tensor, labels: torch.Tensor, answer) -> list[tuple[int, int, int, int]]:
    """Return which (row, column, prior) answers for which object of one scene."""
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2 / SIDE * CELLS, boxes[:, 2:] - boxes[:, :2]
    if not head.way.dynamic:
        prior = [0] * len(boxes) if head.priors is None else shape_iou(sizes, head.priors).argmax(1).tolist()
        cells = centres.long().clamp(max=CELLS - 1).tolist()
        return list(
            {(y, x, k): (y, x, k, n) for n, ((x, y), k) in enumerate(zip(cells, prior, strict=True))}.values()
        )
    said, sure, kind = answer  # (144, 4), (144,), (144, classes)
    middle = head.corner.reshape(-1, 2) + 0.5
    near = (middle[:, None] - centres).abs().amax(2) < 1.5  # (144, n)
    iou = box_iou(said, boxes)
    p = (sure.sigmoid()[:, None] * kind.sigmoid()).sqrt().clamp(1e-6, 1 - 1e-6)
    truth = F.one_hot(labels, CLASSES).float()  # (n, classes)
    wrong = F.binary_cross_entropy(
        p[:, None].expand(-1, len(boxes), -1), truth.expand(len(p), -1, -1), reduction="none"
    )
    cost = wrong.sum(2) - 3 * (iou + 1e-8).log() + 1e6 * ~near
    taken = torch.zeros_like(near)
    for n in range(len(boxes)):
        room = iou[near[:, n], n]
        many = int(room.topk(min(10, len(room))).values.sum().clamp(min=1))
        taken[cost[:, n].topk(min(many, len(room)), largest=False).indices, n] = True
    cheapest = torch.where(taken, cost, torch.inf).argmin(1)
    return [
        (cell // CELLS, cell % CELLS, 0, int(cheapest[cell]))
        for cell in torch.nonzero(taken.any(1))[:, 0].tolist()
    ]


def loss_of(head: Head, fine, coarse, boxes, labels) -> torch.Tensor:
    """Return the loss of a batch, a scene's share."""
    way = head.way
    centre, size, sure, kind = head(fine, coarse)
    said = corners(centre, size)
    places, truth, what = [], [], []
    for b in range(len(boxes)):
        answer = (
            (said[b].detach().reshape(-1, 4), sure[b].detach().flatten(), kind[b].detach().flatten(0, 2))
            if way.dynamic
            else ()
        )
        for y, x, k, n in chosen(head, boxes[b], labels[b], answer):
            places.append((b, y, x, k))
            truth.append(boxes[b][n])
            what.append(labels[b][n])
    at, truth, what = torch.tensor(places).unbind(1), torch.stack(truth), torch.stack(what)
    there = torch.zeros_like(sure)
    there[at] = 1
    one_hot = F.one_hot(what, CLASSES).float()
    if way.squared:
        conf = ((sure.sigmoid() - there) ** 2 * (0.5 + 0.5 * there)).sum()
        conf = conf + ((kind[at].sigmoid() - one_hot) ** 2).sum()
    else:
        conf = F.binary_cross_entropy_with_logits(sure, there, reduction="sum")
        conf = conf + F.binary_cross_entropy_with_logits(kind[at], one_hot, reduction="sum")
    if way.box == "squared":
        to = (truth[:, :2] + truth[:, 2:]) / 2 / SIDE * CELLS
        off = ((centre[at] - to) ** 2).sum() + (
            (size[at] / SIDE).sqrt() - ((truth[:, 2:] - truth[:, :2]) / SIDE).sqrt()
        ).pow(2).sum()
        place = 5 * off
    else:
        place = 5 * (1 - {"giou": giou, "ciou": ciou}[way.box](said[at], truth)).sum()
    return (conf + place) / len(boxes)


@torch.no_grad()
def found(head: Head, data: dict) -> list[dict]:
    """Return what a trained head says of scenes."""
    head.eval()
    answers = []
    for fine, coarse in zip(data["fine"].float().split(50), data["coarse"].float().split(50), strict=True):
        centre, size, sure, kind = head(fine, coarse)
        boxes = corners(centre, size).clamp(0, SIDE).flatten(1, 3)
        scores = (sure.sigmoid()[..., None] * kind.sigmoid()).flatten(1, 3)
        answers += [answers_of(b, s, s > 0.02, 0.55, most=50) for b, s in zip(boxes, scores, strict=True)]
    return answers


def trained(way: Way, seed: int, folder: Path) -> dict:
    """Train one row with one seed, and return its record."""
    torch.manual_seed(seed)
    data, more = frozen(folder, "train"), frozen(folder, "mosaic") if way.mosaic else None
    head = Head(way, torch.cat([b[:, 2:] - b[:, :2] for b in data["boxes"]]))
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.15)
    begin = time.process_time()
    for step in range(STEPS):
        # mosaics are every second batch, but for the last fifth
        source = more if more and step % 2 and step < 0.8 * STEPS else data
        rows = torch.randint(len(source["boxes"]), (BATCH,), generator=rng)
        rows = torch.tensor([r for r in rows.tolist() if len(source["boxes"][r])])
        loss = loss_of(head, source["fine"][rows].float(), source["coarse"][rows].float(),
                       [source["boxes"][r] for r in rows], [source["labels"][r] for r in rows])  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    record = {"way": way.name, "seed": seed, "cpu": round(time.process_time() - begin, 1)}
    for which in ("seen", "unseen"):
        numbers = judge(scenes(which), found(head, frozen(folder, which))).numbers
        record[which] = {name: round(numbers[name], 4) for name in ("AP", "AP50", "AP75")}
    return record


def every_run(ways, trained, stem: str) -> list[dict]:
    """Train each way with each seed, but for those of which the folder keeps the record `STEM`I_SEED.json."""
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_yolo"))
    folder.mkdir(exist_ok=True)
    runs = []
    for seed in SEEDS:
        for i, way in enumerate(ways):
            path = folder / f"{stem}{i}_{seed}.json"
            if not path.exists():
                path.write_text(json.dumps(trained(way, seed, folder)))
            runs.append(json.loads(path.read_text()))
            print({k: v for k, v in runs[-1].items() if k not in ("batches", "loss")}, flush=True)
    return runs


def main() -> None:
    torch.set_num_threads(1)
    runs = every_run(WAYS, trained, "")
    machine = f"{platform.machine()}, torch {torch.__version__}, one thread"
    record = {
        "machine": machine,
        "steps": STEPS,
        "batch": BATCH,
        "scenes": SCENES,
        "mosaics": MOSAICS,
        "runs": runs,
    }
    write_whole(OUT, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
