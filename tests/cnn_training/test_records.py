"""What is recorded about lesson 03's nets: the cards say what the record says, and the shipped weights do what both say."""

import re
import statistics

import pytest

from cvlab import settings
from cvlab.cnn_training import batches, loop, records
from cvlab.world.datasets import Stickers10

RUNS = {
    "lenet_stickers10": ("lenet", True),
    "lenet_stickers10_plain": ("lenet", False),
    "resnet_stickers10": ("resnet", True),
}


def recorded(name: str) -> tuple[list[float], float]:
    """Accuracies by seed, and the learning rate."""
    net, augmented = RUNS[name]
    record = records.record()
    runs = record["nets"][net] if augmented else record["plain"]
    return [run["test"] for run in runs], record["rates"][net]["chosen"]


@pytest.mark.parametrize("name", RUNS)
def test_the_card_says_what_the_record_says(name):
    scores, rate = recorded(name)
    card = (settings.data_dir() / "weights" / f"{name}.md").read_text(encoding="utf-8")
    assert f"this file (seed 0) {scores[0]:.3f};" in card
    spread = f"mean {statistics.mean(scores):.3f}, from {min(scores):.3f} to {max(scores):.3f}."
    assert spread in card
    assert re.search(rf"one cycle up to {rate:g} ", card)


@pytest.mark.parametrize("name", RUNS)
def test_the_shipped_weights_reach_what_the_card_says(name):
    net, augmented = RUNS[name]
    images, labels = Stickers10("test", 1000).arrays()
    test = batches.Batches(batches.to_tensor(images), labels, 500, every=True)
    reached = loop.accuracy(records.load_net(net, augmented=augmented), test)
    assert reached == pytest.approx(recorded(name)[0][0], abs=0.004)  # other machines round differently
