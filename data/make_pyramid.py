"""Write `training/pyramid.json`: which levels find objects of which size, and what a minute's training reaches.

    python data/make_pyramid.py [FOLDER]         # goes on where it was stopped; FOLDER keeps maps and runs
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

All heads stand on the frozen maps of EfficientNet-Lite0 and see the same scenes in the same order. One thread.
"""

import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch

from cvlab.detection.one_stage import OneStage
from cvlab.detection.training import found_on, levels_of, train_head
from cvlab.map.judge import judge
from cvlab.store.files import write_whole
from cvlab.world.scenes import make_scenes

FOLDER, SEEDS = Path(__file__).parent, (0, 1, 2)
WIDE = (6, 70)  # percent of the side: objects of very different sizes
LEVELS = {  # which levels answer, and whether each finer one is given what the coarser ones know
    "coarse alone": {"strides": (32,), "top_down": False},
    "fine alone": {"strides": (8,), "top_down": False},
    "each for its size": {"strides": (8, 16, 32), "top_down": False},
    "each, top-down": {"strides": (8, 16, 32), "top_down": True},
    "finest, top-down": {"strides": (8,), "top_down": True},
}
PYRAMID = {"scenes": 600, "steps": 300, "rate": 0.004, "judged": 150}
MINUTE = {"scenes": 1000, "steps": 540, "rate": 0.005, "judged": 200}
STYLES = {"seen": ("train", 5), "unseen": ("test", 1)}
NUMBERS = ("AP", "AP50", "APs", "APm", "APl")


def truths_of(scenes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return boxes and labels of scenes as tensors."""
    return [(torch.from_numpy(s.boxes), torch.from_numpy(s.labels)) for s in scenes]


def run(options: dict, plan: dict, seed: int, learn: tuple, judges: dict) -> dict:
    """Train one head and judge it."""
    torch.manual_seed(seed)
    net, begin = OneStage(**options), time.process_time()
    train_head(net, *learn, plan["steps"], plan["rate"])
    found = {"seconds": round(time.process_time() - begin, 1)}
    for style, (scenes, maps) in judges.items():
        numbers = judge(scenes, found_on(net, maps)).numbers
        found[style] = {name: round(numbers[name], 4) for name in NUMBERS}
    return found


def runs_of(plan: dict, ways: dict, kept: list, save, **painted) -> None:
    """Fill `kept` with the runs that are missing, seed by seed."""
    missing = [
        (way, seed)
        for seed in SEEDS
        for way in ways
        if not any(r["way"] == way and r["seed"] == seed for r in kept)
    ]
    if not missing:
        return
    begin = time.process_time()
    scenes = make_scenes(plan["scenes"], size=192, **painted)
    learn = levels_of(scenes), truths_of(scenes)
    seconds = round(time.process_time() - begin, 1)
    judges = {}
    for style, (split, series) in STYLES.items():
        some = make_scenes(plan["judged"], split=split, seed=series, size=192, **painted)
        judges[style] = some, levels_of(some)
    for way, seed in missing:
        one = {"way": way, "seed": seed, "maps seconds": seconds}
        kept.append(one | run(ways[way], plan, seed, learn, judges))
        print(kept[-1], flush=True)
        save()


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_pyramid"))
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "pyramid.json"
    machine = f"{platform.machine()}, torch {torch.__version__}, one thread"
    record = json.loads(state.read_text()) if state.exists() else {"levels": [], "minute": []}
    record |= {"machine": machine, "sizes": WIDE, "pyramid": PYRAMID, "live": MINUTE}

    def save():
        write_whole(state, (json.dumps(record, indent=1) + "\n").encode())

    runs_of(PYRAMID, LEVELS, record["levels"], save, sizes=WIDE)
    runs_of(MINUTE, {"a minute": {}}, record["minute"], save)
    write_whole(FOLDER / "training" / "pyramid.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
