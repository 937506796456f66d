"""Lesson 01: channel order and normalisation, as the network sees them."""

import functools

import ipywidgets
import numpy as np

from cvlab.preprocessing.preprocess import IMAGENET_MEAN, IMAGENET_STD
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import as_photo, board, dense, signed_map

__all__ = ["ChannelExplorer", "dataset_statistics"]

SIDE = 320  # CSS pixels of a photo's longer side
ORDERS = {"RGB": (0, 1, 2), "BGR (swapped)": (2, 1, 0), "R only": (0,), "G only": (1,), "B only": (2,)}
NONE, UNIT, OWN, DATASET, IMAGENET, HALF = (
    "none: 0 to 255",
    "divide by 255",
    "this photo's mean and std",
    "the data set's mean and std",
    "ImageNet's mean and std",
    "mean 0.5, std 0.5",
)
DATASET_PHOTOS = ("astronaut", "chelsea", "china", "coffee", "flower", "rocket")


class ChannelExplorer(Widget):
    """Choose the order of the channels and the normalisation; see every channel with its sign.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array.
        dataset: mean (3,) and std (3,) in 0 to 1 of the data set; by default of the course's six colour photos.

    Example:
        >>> explorer = ChannelExplorer("coffee", order="RGB", normalise="mean 0.5, std 0.5")
        >>> explorer.values["network"].shape, bool(explorer.values["network"].min() >= -1)
        ((3, 153, 230), True)
    """

    alt = "A photo and each of its channels as a signed map: blue below zero, white at zero, red above"
    default_task = (
        "Make every channel's mean 0 and its std 1, with the channels in the order the network expects."
    )
    learnt = "Only this photo's own numbers give 0 and 1 exactly; a network expects those of its data set."
    answer = {"order": "RGB", "normalise": OWN}

    def __init__(self, image="coffee", *, dataset=None, **options):
        self.image = as_photo(image, longest=230)
        self.dataset = tuple(map(tuple, dataset or dataset_statistics()))
        super().__init__(**options)

    def controls(self):
        ways = [NONE, UNIT, OWN, DATASET, IMAGENET, HALF]
        return {
            "order": ipywidgets.Dropdown(options=list(ORDERS), value="BGR (swapped)", description="channels"),
            "normalise": ipywidgets.Dropdown(options=ways, value=NONE, description="normalise"),
        }

    def compute(self, order, normalise):
        kept = list(ORDERS[order])
        seen = np.zeros_like(self.image)
        if len(kept) == 1:
            seen[..., kept] = self.image[..., kept]  # the other two channels are 0
        else:
            seen = self.image[..., kept]
        mean, std = self._statistics(seen, normalise)
        scale = 1 if normalise == NONE else 255
        network = ((seen / scale - mean) / std).astype(np.float32).transpose(2, 0, 1)  # (3, H, W)
        return {
            "seen": seen,
            "network": network,
            "low": network.min(axis=(1, 2)),
            "high": network.max(axis=(1, 2)),
            "mean": network.mean(axis=(1, 2), dtype=np.float64),
            "std": network.std(axis=(1, 2), dtype=np.float64),
            "order": order,
            "limit": {NONE: 255, UNIT: 1}.get(normalise, 2.5),
        }

    def _statistics(self, seen, normalise):
        """Mean (3,) and std (3,) to normalise with; a constant channel is divided by 1."""
        if normalise in (NONE, UNIT):
            return np.zeros(3), np.ones(3)
        if normalise == OWN:
            std = seen.std(axis=(0, 1)) / 255
            return seen.mean(axis=(0, 1)) / 255, np.where(std > 0, std, 1)
        known = {
            DATASET: self.dataset,
            IMAGENET: (IMAGENET_MEAN, IMAGENET_STD),
            HALF: ((0.5,) * 3, (0.5,) * 3),
        }
        mean, std = known[normalise]
        return np.asarray(mean), np.asarray(std)

    def draw(self, values):
        limit, width = values["limit"], max(1, SIDE * self.image.shape[1] // max(self.image.shape))

        def shown(picture):
            return dense(picture, width)

        scale = f"−{limit:g} blue, 0 white, +{limit:g} red" if limit == 2.5 else f"0 white, {limit:g} red"
        maps = [
            (f"{name}: {scale}", shown(signed_map(c, limit)))
            for name, c in zip("012", values["network"], strict=True)
        ]
        maps = [(f"channel {title}", picture) for title, picture in maps]
        return board([[("shown as R, G, B", shown(values["seen"])), maps[0]], maps[1:]], self.palette)

    def text(self, values):
        rows = zip("RGB", values["low"], values["high"], values["mean"], values["std"], strict=True)
        lines = [
            f"{index}, should be {name}: {number(low)} to {number(high)}, mean {number(mean)}, std {number(std)}"
            for index, (name, low, high, mean, std) in enumerate(rows)
        ]
        return "\n".join([f"in the array: {values['order']}", *lines])

    def goal(self, values):
        centred = np.allclose(values["mean"], 0, atol=0.01) and np.allclose(values["std"], 1, atol=0.01)
        return bool(centred and values["order"] == "RGB")


def number(value: float) -> str:
    """Write a number with two decimals, from 100 with one, a real minus and no "-0.00"."""
    digits = 2 if abs(value) < 100 else 1
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


@functools.cache
def dataset_statistics() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, in 0 to 1, of every R, G and B in the course's six colour photos.

    Example:
        >>> mean, std = dataset_statistics()
        >>> len(mean), all(0 < s < 1 for s in std)
        (3, True)
    """
    pixels = np.concatenate([as_photo(name, longest=230).reshape(-1, 3) for name in DATASET_PHOTOS]) / 255
    return tuple(map(float, pixels.mean(axis=0))), tuple(map(float, pixels.std(axis=0)))
