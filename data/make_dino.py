"""Write `weights/*_things.safetensors`, their card and `training/dino.json`: the recipe of lesson 08.

    python data/make_dino.py [FOLDER]            # goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

Maps of every drawing at several moments are computed once, then small transformers learn from them: the controlled
pair (thing moved or not, background another or the same), local crops, a long training, and one told the groups.
FOLDER keeps the maps and what is done. One thread, three seeds each.
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
import torch.nn.functional as F
from torch import nn

from cvlab.dino.features import features_of
from cvlab.dino.judging import Judged, judged, labelled_drawings, measure
from cvlab.distillation.maps import crop_maps, maps_of
from cvlab.distillation.teaching import Projector, dino_loss, ema_update, small_vit, teach
from cvlab.store.checkpoint import save_weights
from cvlab.store.files import write_whole
from cvlab.world import pool
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

FOLDER, SEEDS, MOMENTS, PART = Path(__file__).parent, (0, 1, 2), 6, 200
SHORT, LONG, POINTS = 300, 1500, 10  # steps, and how often the long training is judged
MINUTE, EPOCHS = 232, 4  # steps of the page's live training, which passes 4 times over its pictures
SLOWLY = {"batch": 32, "rate": 1e-3, "momentum": 0.99, "teacher_temp": 0.06}
PAIRS = {
    f"{'another' if elsewhere else 'same'} background, {'moved' if moved else 'not moved'}": (
        moved,
        elsewhere,
    )
    for moved in (True, False)
    for elsewhere in (True, False)
}


def maps(folder: Path, moments: int, moved: bool = True, elsewhere: bool = True) -> torch.Tensor:
    """Return maps (moments, N, 112, 12, 12) of every drawing that may be learnt from, kept in `folder`."""
    drawings, parts = drawings_to_learn(), []
    for begin in range(0, len(drawings), PART):
        file = folder / f"maps_{moments}{moved:d}{elsewhere:d}_{begin}.pt"
        if not file.exists():
            options = {"moments": moments, "seed": 100 + begin, "moved": moved, "elsewhere": elsewhere}
            painted = make_moments(drawings[begin : begin + PART], **options)
            torch.save(torch.stack([maps_of(images) for images in painted.images]), file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
            print(file.name, flush=True)
        parts.append(torch.load(file))
    return torch.cat(parts, dim=1)


def groups() -> torch.Tensor:
    """Return the group of each drawing, -1 for none."""
    return torch.from_numpy(pool.group_numbers(pool.sheet(s)[1][row] for s, row in drawings_to_learn()))


def to_judge() -> Judged:
    """Return the bank, and the judged pictures of lesson 08, each painted three times."""
    bank = make_moments(sorted(labelled_drawings()), seed=1)
    small = bank.images[0, :, ::3, ::3]
    asked = [make_moments(drawings_to_judge(), split="test", seed=seed) for seed in (2, 3, 4)]
    return Judged(
        maps_of(bank.images[0]),
        torch.from_numpy(bank.groups),
        bank.things,
        small,
        torch.cat([maps_of(one.images[0]) for one in asked]),
        torch.cat([torch.from_numpy(one.groups) for one in asked]),
        np.concatenate([one.things for one in asked]),
        np.concatenate([one.images[0] for one in asked]),
        np.concatenate([one.masks[0] for one in asked]),
    )


def numbers(net, sets: Judged) -> dict:
    return {name: round(value, 4) for name, value in measure(net, sets).items()}


def learnt(seed: int, first, second, steps: int, sets: Judged, points: int = 1, **options) -> tuple:
    """Train one network without labels; return it and a row for each time it was judged."""
    torch.manual_seed(seed)
    curve, begin, used = [], time.process_time(), 0.0

    def watch(step, now):
        nonlocal begin, used
        if step % (steps // points) == 0:
            used += time.process_time() - begin
            row = {"step": step, "seconds": round(used, 1), "loss": round(now["loss"], 3)}
            curve.append(row | numbers(now["teacher"].net, sets))
            print(seed, curve[-1], flush=True)
            begin = time.process_time()

    teacher = teach(Projector(small_vit()), first, second, steps, watch=watch, **options)
    return teacher.net, curve


def learn_names(seed: int, x: torch.Tensor, labels: torch.Tensor, names: int, steps: int) -> nn.Sequential:
    """Train the small transformer and a linear layer on labelled maps, with the crops of `teach`, and return both."""
    torch.manual_seed(seed)
    net = nn.Sequential(small_vit(), nn.Linear(96, names))
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.04)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        some = torch.randint(len(labels), (32,))
        loss = F.cross_entropy(net(crop_maps(x[some].float(), (0.4, 1), 6)), labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def told(seed: int, x: torch.Tensor, labels: torch.Tensor, steps: int, sets: Judged) -> tuple:
    """Train the same architecture on the groups' names."""
    net = learn_names(seed, x, labels, len(pool.groups()), steps)
    said = features_of(net, sets.queries).argmax(1)
    row = {"step": steps, "accuracy": round((said == sets.labels).float().mean().item(), 4)}
    return net[0], [row | numbers(net[0], sets)]


def page_moments() -> tuple[torch.Tensor, torch.Tensor]:
    """Return maps (929, 112, 12, 12) of the two moments that lesson 08b learns from live."""
    drawings = labelled_drawings()
    other = make_moments(drawings[:200], moments=2, seed=1).images[1]
    rest = make_moments(drawings[200:], seed=5).images[0]
    return judged().bank, torch.cat([maps_of(other), maps_of(rest)])


def with_small_crops(seed: int, first, second, crops: int, sets: Judged) -> tuple:
    """Train as `teach` does, but let the student see small crops of both moments, too, the teacher never."""
    torch.manual_seed(seed)
    student = Projector(small_vit())
    teacher, center = copy.deepcopy(student).requires_grad_(False), torch.zeros(len(student.directions))
    optimizer, begin = torch.optim.AdamW(student.parameters(), 2e-3, weight_decay=0.04), time.process_time()
    for step in range(1, SHORT + 1):
        falling = 0.5 * (1 + math.cos(math.pi * step / SHORT))
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, step / 50) * (falling + 0.02)
        some = torch.randperm(len(first))[:16]
        pair = [x[some].float() for x in (first, second)]
        large = [crop_maps(x, (0.4, 1), 6) for x in pair]
        small = [crop_maps(pair[i % 2], (0.06, 0.4), 4) for i in range(crops)]
        answers = torch.stack([teacher(view) for view in large])
        loss = dino_loss(torch.stack([student(view) for view in large + small]), answers, center)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 3)
        optimizer.step()
        ema_update(teacher, student, 1 - 0.02 * falling)
        center = 0.9 * center + 0.1 * answers.mean((0, 1))
    row = {"step": SHORT, "seconds": round(time.process_time() - begin, 1), "loss": round(loss.item(), 3)}
    return teacher.net, [row | numbers(teacher.net, sets)]


CARD = """# dino_things, same_things, supervised_things

- **Network:** `cvlab.distillation.teaching.small_vit`: a transformer of two blocks, four heads and 96 numbers a token, without positions, on
  the map of block 4 of the frozen EfficientNet-Lite0 (112 x 12 x 12 for 192 pixels, each place brought to one spread; learnt with
  ImageNet's labels). Half precision.
- **Data:** {things} drawings of `cvlab.world.moments` (four styles, no held-out thing), at six moments each, before other photos.
- **dino:** DINO's loss on pairs of moments, no labels; {long} steps of 32 pairs, {minutes} minutes of one core. **same:** {short} steps of 16
  pairs that share their background. **supervised:** told the 18 groups, 1000 steps of 32.
- **Judged** on held-out things in an unseen style before unseen photos (381 pictures): {judged}
  (k-NN of 18 groups / IoU of the places that attention ranks first, mean of heads; the mean of three seeds, the first is stored).
- **Made by** `data/make_dino.py`, one thread ({machine}).
- **Not for** anything but lessons: it has seen emoji only.
"""


def finish(folder: Path, record: dict) -> None:
    """Write record, weights and card where the course reads them."""
    machine = f"{platform.machine()}, torch {torch.__version__}"
    record |= {"machine": f"{machine}, one thread", "seeds": list(SEEDS)}
    write_whole(FOLDER / "training" / "dino.json", (json.dumps(record, indent=1) + "\n").encode())
    ways = {"dino": record["long"]["dino"], "supervised": record["supervised"]["told the groups"]}
    ways["same"] = record["pair"]["same background, moved"]
    said = []
    for name, rows in ways.items():
        knn, iou = (np.mean([curve[-1][number] for curve in rows]) for number in ("k-NN", "IoU"))
        said.append(f"{name} {knn:.2f} / {iou:.2f}")
        made = (folder / f"{name}_things.safetensors").read_bytes()
        write_whole(FOLDER / "weights" / f"{name}_things.safetensors", made)
    words = CARD.format(
        things=len(drawings_to_learn()),
        long=LONG,
        short=SHORT,
        minutes=round(np.mean([curve[-1]["seconds"] for curve in ways["dino"]]) / 60, 1),
        judged=", ".join(said),
        machine=machine,
    )
    write_whole(FOLDER / "weights" / "dino_things.md", words.encode())


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_dino"))
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done.json"
    record = json.loads(done.read_text()) if done.exists() else {}
    sets, moments = to_judge(), maps(folder, MOMENTS)
    first, second = moments[::2].flatten(0, 1), moments[1::2].flatten(0, 1)
    few = moments[0]

    def keep(part: str, way: str, train, saved: str | None = None) -> None:
        """Train three seeds, unless that is done; of the first the weights are kept, too."""
        rows = record.setdefault(part, {}).setdefault(way, [])
        for seed in SEEDS[len(rows) :]:
            net, curve = train(seed)
            if saved and seed == 0:
                save_weights(folder / f"{saved}_things.safetensors", net, half=True)
            rows.append(curve)
            write_whole(done, json.dumps(record).encode())
            print(part, way, seed, curve[-1], flush=True)

    keep("untrained", "untrained", lambda seed: learnt(seed, few, few, 1, sets, rate=0.0))
    keep("long", "dino", lambda seed: learnt(seed, first, second, LONG, sets, POINTS, **SLOWLY), "dino")
    group = groups()
    x, labels = first[(group >= 0).repeat(3)], group[group >= 0].repeat(3)
    keep("supervised", "told the groups", lambda seed: told(seed, x, labels, 1000, sets), "supervised")
    for way, (moved, elsewhere) in PAIRS.items():
        other = {(True, True): moments[1], (False, False): few}.get((moved, elsewhere))
        other = maps(folder, 2, moved, elsewhere)[1] if other is None else other
        saved = "same" if moved and not elsewhere else None
        keep("pair", way, lambda seed, o=other: learnt(seed, few, o, SHORT, sets), saved)
    for crops in (0, 2, 4):
        way = f"{crops} small crops"
        keep("crops", way, lambda seed, c=crops: with_small_crops(seed, few, moments[1], c, sets))
    one, two = page_moments()
    way = f"{MINUTE} steps"
    keep("minute", way, lambda seed: learnt(seed, one, two, MINUTE, judged(), EPOCHS))
    finish(folder, record)


if __name__ == "__main__":
    main()
