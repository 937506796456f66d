"""Write `training/neighbours.npz` and `neighbours.json`: lesson 08b's search engine, and how few labels its features need.

    python data/make_neighbours.py [FOLDER]      # goes on where it was stopped; after data/make_dino.py
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

FOLDER keeps the maps of all stickers, which no training changes. One thread, about six minutes.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from make_dino import learn_names

from cvlab import settings
from cvlab.dino.features import features_of
from cvlab.dino.judging import judged, knn_accuracy, labelled_drawings
from cvlab.dino.records import checkpoint
from cvlab.dino.search import listed, stickers
from cvlab.distillation.maps import maps_of
from cvlab.distillation.teaching import small_vit
from cvlab.store.files import write_whole
from cvlab.transfer_learning.backbone import backbone, features
from cvlab.transfer_learning.neighbours import probe
from cvlab.world.moments import drawings_to_judge, make_moments

LABELS, DRAWS, STEPS, PART = (1, 2, 4, 8, 16, 32), (0, 1, 2), 300, 250
AGAIN, OTHER = (
    (3, 4),
    5,
)  # seeds: the judged things painted twice more; the same things as another company draws them


def maps_of_stickers(folder: Path) -> torch.Tensor:
    """Return maps (N, 112, 12, 12) of all stickers that belong to a group, kept in `folder`."""
    drawings, parts = [(style, row) for style, row, _ in listed()], []
    for begin in range(0, len(drawings), PART):
        file = folder / f"gallery_{begin}.pt"
        if not file.exists():
            torch.save(maps_of(stickers(drawings[begin : begin + PART])), file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
            print(file.name, flush=True)
        parts.append(torch.load(file))
    return torch.cat(parts)


def eighths(features: torch.Tensor) -> np.ndarray:
    """Round each row to whole numbers of -127 to 127; its length is lost, cosines stay within 0.01."""
    return (127 * features / features.abs().amax(1, keepdim=True)).round().to(torch.int8).numpy()


def at_most(labels: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    """Return the places of n pictures of each group, or of as many as there are, drawn by lot."""
    dice = np.random.default_rng(seed)
    groups = [np.flatnonzero(labels == group) for group in labels.unique()]
    return torch.from_numpy(np.concatenate([dice.permutation(places)[:n] for places in groups]))


def imagenet_end(images: np.ndarray) -> torch.Tensor:
    """Return (N, 1280), the means of the last maps of the pretrained network: what lesson 04 stood on."""
    return features(lambda x: backbone().forward_features(x).mean((2, 3)), images)


def imagenet(folder: Path) -> tuple[torch.Tensor, torch.Tensor, dict]:
    """Return what ImageNet's network says of bank and judged pictures, kept in `folder`, and its scores."""
    file, sets = folder / "imagenet.pt", judged()
    if not file.exists():
        bank = make_moments(labelled_drawings(), seed=1).images[0]
        asked = [make_moments(drawings_to_judge(), split="test", seed=seed).images[0] for seed in AGAIN]
        noto = make_moments(drawings_to_judge("noto"), split="test", seed=OTHER)
        said = [
            imagenet_end(images) for images in (bank, np.concatenate([sets.images, *asked]), noto.images[0])
        ]
        torch.save((*said, torch.from_numpy(noto.things)), file)
    bank, asked, noto, things = torch.load(file)
    stored = F.normalize(asked[: len(sets.things)], dim=1)
    found = sets.things[(F.normalize(noto, dim=1) @ stored.T).argmax(1)]
    scores = {
        "k-NN": knn_accuracy(bank, sets.bank_labels, asked[: len(sets.things)], sets.labels),
        "same thing": float((found == things.numpy()).mean()),
    }
    return bank, asked, {name: round(score, 4) for name, score in scores.items()}


def few_labels(folder: Path) -> dict:
    """Return way -> labels a group -> accuracy of each draw, on the judged things painted three times."""
    done, sets = folder / "few.json", judged()
    more = [make_moments(drawings_to_judge(), split="test", seed=seed) for seed in AGAIN]
    asked = torch.cat([sets.queries, *(maps_of(one.images[0]) for one in more)])
    truth = torch.cat([sets.labels, *(torch.from_numpy(one.groups) for one in more)])
    torch.manual_seed(0)
    ways = {
        "DINO": checkpoint("dino"),
        "untrained": small_vit().eval(),
        "frozen maps' mean": lambda x: x.mean((2, 3)),
    }
    said_of = {way: [features_of(net, maps) for maps in (sets.bank, asked)] for way, net in ways.items()}
    *said_of["ImageNet's end"], scores = imagenet(folder)
    found = {way: {str(n): [] for n in LABELS} for way in [*said_of, "from scratch"]}
    found = json.loads(done.read_text()) if done.exists() else found
    for n in LABELS:
        for k, seed in enumerate(DRAWS):
            rows = at_most(sets.bank_labels, n, seed)
            labels = sets.bank_labels[rows]
            for way in [way for way in found if len(found[way][str(n)]) <= k]:
                if way == "from scratch":
                    net = learn_names(seed, sets.bank[rows], labels, int(labels.max()) + 1, STEPS)
                    names = features_of(net, asked).argmax(1)
                else:
                    names = probe(said_of[way][0][rows], labels, said_of[way][1])
                found[way][str(n)].append(round((names == truth).float().mean().item(), 4))
            write_whole(done, json.dumps(found).encode())
            print(n, seed, {way: found[way][str(n)][k] for way in found}, flush=True)
    return {
        "labels": LABELS,
        "accuracy": found,
        "judged": len(truth),
        "steps from scratch": STEPS,
        "ImageNet's end": scores,
    }


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1] if sys.argv[1:] else Path(tempfile.gettempdir(), "cvlab_neighbours"))
    folder.mkdir(parents=True, exist_ok=True)
    target, maps = settings.data_dir() / "training", maps_of_stickers(folder)
    features = {"DINO": features_of(checkpoint("dino"), maps), "frozen": maps.float().mean((2, 3))}
    with (target / "neighbours.npz").open("wb") as file:
        np.savez_compressed(file, **{name: eighths(rows) for name, rows in features.items()})
    write_whole(target / "neighbours.json", (json.dumps(few_labels(folder), indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
