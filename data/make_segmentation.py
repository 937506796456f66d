"""Write `training/segmentation.json` and `training/skips.npz`: decoders on a frozen encoder, and what they lack without it.

    python data/make_segmentation.py [FOLDER]    # a quarter of an hour on one core; goes on where it was stopped
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

Equal seconds: steps follow from `SECONDS` and from what a scene costs (`COST`, measured once), and from no clock while it runs.
All seeds learn from the same scenes; they change weights, order and flips. Chosen on the val split with the training's own scenes.
Classes alone are trained: a group's probability is the sum of its classes'. One thread.
"""

import functools
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cvlab.segmentation.scores import judged_maps, probabilities
from cvlab.segmentation.targets import NAMES, label_map
from cvlab.segmentation.topdown import TopDown, enlarged, four_levels, maps_of
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scene

FOLDER, SEEDS, SECONDS, BATCH = Path(__file__).parent, (0, 1, 2), 60, 16
SCENES = {
    "train": ("train", 10, 2000),
    "seen": ("train", 5, 200),
    "val": ("val", 1, 200),
    "unseen": ("test", 1, 300),
}
COST = {
    "levels": 8.0,
    "decoder": 2.3,
    "from scratch": 27.0,
}  # ms a scene: frozen levels once; a step; a step of all
RATE, DECAY, BACKGROUND, SMOOTH = 4e-3, 0.05, 0.4, 0.05  # background's weight in the loss; of the labels
SHOWN = 8  # scenes of each style that the widget shows


@functools.cache
def scenes(which: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (N, 96, 96, 3) and label maps (N, 96, 96)."""
    split, seed, n = SCENES[which]
    made = [make_scene(i, split=split, seed=seed) for i in range(n)]
    return np.stack([s.image for s in made]), np.stack([label_map(s) for s in made])


class Levels:
    """The frozen levels of the scenes, kept in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    @functools.cache  # noqa: B019 - one object, as long as the process
    def of(self, which: str) -> list[torch.Tensor]:
        path = self.folder / f"{which}.pt"
        if not path.exists():
            torch.save(maps_of(scenes(which)[0]), path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
        return torch.load(path, weights_only=True)


def steps_of(way: str) -> int:
    """Return how many steps fit into the seconds; the frozen levels are paid for."""
    left = 1000 * SECONDS - (COST["levels"] * SCENES["train"][2] if way == "decoder" else 0)
    return int(left / (BATCH * COST[way]))


def fit(parameters, logits_of, steps: int, seed: int) -> list[float]:
    """Train with AdamW and one cycle: `logits_of(rows, mirrored)` says what the network makes of training scenes."""
    labels = torch.from_numpy(scenes("train")[1])
    rng, n = torch.Generator().manual_seed(seed), len(labels)
    optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.15)
    weight = torch.ones(len(NAMES))
    weight[0] = BACKGROUND
    epochs = [torch.randperm(n, generator=rng) for _ in range(BATCH * steps // n + 1)]
    losses = []
    for i, rows in enumerate(torch.cat(epochs)[: BATCH * steps].split(BATCH)):
        logits, y = logits_of(rows, bool(i % 2)), labels[rows]
        y = y.flip(2) if i % 2 else y
        y = y[:, 1::3, 1::3]  # (B, 32, 32): the middle of each 3 x 3 pixels
        loss = F.cross_entropy(logits, y, weight=weight, label_smoothing=SMOOTH)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        losses.append(loss.item())
    return [round(float(np.mean(part)), 3) for part in np.array_split(losses, 20)]


def decoded(levels: Levels, skips: int, seed: int) -> tuple[TopDown, dict]:
    """Train one decoder, and return it with its record."""
    torch.manual_seed(seed)
    net, maps = TopDown(len(NAMES), skips=skips), levels.of("train")
    begin, steps = time.process_time(), steps_of("decoder")

    def logits_of(rows, mirrored):
        x = [level[rows].float() for level in maps]
        return net(*([level.flip(3) for level in x] if mirrored else x))

    losses = fit(net.parameters(), logits_of, steps, seed)
    record = {"cpu": round(time.process_time() - begin, 1), "steps": steps, "losses": losses}
    found = {which: probabilities(net, levels.of(which)) for which in ("seen", "val", "unseen")}
    record |= {which: judged_maps(p, scenes(which)[1]) for which, p in found.items()}
    record["maps"] = (
        [found[which][:SHOWN].argmax(1).tolist() for which in ("seen", "unseen")] if seed == 0 else []
    )
    return net, record


def from_scratch(seed: int) -> dict:
    """Train encoder and decoder together from random weights, in the same seconds."""
    import timm

    torch.manual_seed(seed)
    encoder = timm.create_model("tf_efficientnet_lite0", pretrained=False).to(
        memory_format=torch.channels_last
    )
    decoder, images = TopDown(len(NAMES)), scenes("train")[0]
    parameters = [*encoder.blocks.parameters(), *encoder.conv_stem.parameters(), *decoder.parameters()]
    encoder.train()
    begin, steps = time.process_time(), steps_of("from scratch")

    def logits_of(rows, mirrored):
        x = enlarged(images[rows.numpy()])
        return decoder(*four_levels(encoder, x.flip(3) if mirrored else x))

    losses = fit(parameters, logits_of, steps, seed)
    record = {"cpu": round(time.process_time() - begin, 1), "steps": steps, "losses": losses}
    encoder.eval()
    for which in ("seen", "val", "unseen"):
        pictures, truth = scenes(which)
        parts = [four_levels(encoder, enlarged(pictures[i : i + 50])) for i in range(0, len(pictures), 50)]
        with torch.no_grad():
            maps = [torch.cat(level) for level in zip(*parts, strict=True)]
        record[which] = judged_maps(probabilities(decoder, maps), truth)
    return record


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_segmentation"))
    folder.mkdir(exist_ok=True)
    levels, runs = Levels(folder), []
    plan = [(3, 0), (0, 0), (3, 1), (3, 2), (1, 0), (2, 0), (0, 1), (0, 2)]
    for skips, seed in plan:
        path = folder / f"skips{skips}_{seed}.json"
        if not path.exists():
            net, record = decoded(levels, skips, seed)
            if (skips, seed) == (3, 0):
                torch.save(net.state_dict(), folder / "decoder.pt")
            path.write_text(
                json.dumps({"way": "frozen", "skips": skips, "seed": seed, **record}), encoding="utf-8"
            )
        runs.append(json.loads(path.read_text(encoding="utf-8")))
        print({k: v for k, v in runs[-1].items() if k not in ("maps", "losses")}, flush=True)
    for seed in SEEDS[:1]:
        path = folder / f"scratch_{seed}.json"
        if not path.exists():
            record = {"way": "from scratch", "skips": 3, "seed": seed, **from_scratch(seed)}
            path.write_text(json.dumps(record), encoding="utf-8")
        runs.append(json.loads(path.read_text(encoding="utf-8")))
        print({k: v for k, v in runs[-1].items() if k != "losses"}, flush=True)
    maps = {run["skips"]: run.pop("maps") for run in runs if run.get("maps")}
    found = np.array([maps[skips] for skips in range(4)], np.uint8)  # (skips, style, SHOWN, 96, 96)
    np.savez_compressed(FOLDER / "training" / "skips.npz", maps=found)
    for run in runs:
        run.pop("maps", None)
    machine = f"{platform.machine()}, torch {torch.__version__}, one thread"
    record = {"machine": machine, "seconds": SECONDS, "cost": COST, "scenes": SCENES, "runs": runs}
    write_whole(FOLDER / "training" / "segmentation.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
