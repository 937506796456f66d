"""Lesson 03: what each depth of a trained network makes of a picture."""

import functools

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import DENSE, board, enlarge, stretch
from cvlab.world.stickers import CIFAR10

__all__ = ["FeatureMaps"]

LAYERS = {"lenet": (1, 4, 5), "resnet": (2, 3, 4)}  # positions in the Sequential, by depth
PICTURES, SHOWN = 30, 16
TILE, GAP, SIDE = 76, 4, 288  # CSS pixels: a map, between two, the picture


class FeatureMaps(Widget):
    """Choose a picture of the unseen style, a network and a depth; see the feature maps and the answer.

    Example:
        >>> FeatureMaps(net="resnet", depth=2).readout.splitlines()[0]
        'maps: 32 of 8 x 8, after 2 of 3 stages'
    """

    format = "png"
    alt = "A small picture and the feature maps that a trained network makes of it"
    default_task = "Find a picture that LeNet names wrong and the residual net right."
    learnt = "Two nets that learnt from the same pictures make different mistakes."
    answer = {"net": "resnet", "picture": 5, "depth": 1}

    def controls(self):
        return {
            "picture": ipywidgets.IntSlider(0, 0, PICTURES - 1, description="picture"),
            "net": ipywidgets.ToggleButtons(
                options=["lenet", "resnet"], value="lenet", description="network"
            ),
            "depth": ipywidgets.IntSlider(1, 1, 3, description="depth"),
        }

    def compute(self, picture, net, depth):
        image, label = _pictures()[0][picture], int(_pictures()[1][picture])
        maps, answers = _maps(picture, net)
        return {
            "image": image,
            "truth": CIFAR10[label],
            "maps": maps[depth - 1],
            "depth": depth,
            "net": net,
            "answer": CIFAR10[int(answers.argmax())],
            "sure": float(answers.max()),
            "others": {name: CIFAR10[int(_maps(picture, name)[1].argmax())] for name in LAYERS},
        }

    def draw(self, values):
        maps, step, side = values["maps"], (TILE + GAP) * DENSE, TILE * DENSE
        strongest = np.argsort(-maps.max(axis=(1, 2)), kind="stable")[:SHOWN]
        shown = np.empty((4 * step, 4 * step, 3), np.uint8)  # as large with 6 maps as with 16
        shown[:] = self.palette.ground
        for place, k in enumerate(strongest):
            top, left = place // 4 * step, place % 4 * step
            shown[top : top + side, left : left + side] = _tile(maps[k], side)
        title = f"the strongest {len(strongest)} of {len(maps)} maps"
        picture = enlarge(values["image"], SIDE * DENSE // len(values["image"]))
        return board([[("the picture", picture), (title, shown)]], self.palette)

    def text(self, values):
        maps, right = values["maps"], values["answer"] == values["truth"]
        return (
            f"maps: {len(maps)} of {maps.shape[1]} x {maps.shape[2]}, after {values['depth']} of 3 stages\n"
            f"it says: {values['answer']}, sure to {100 * values['sure']:.0f} % {'✓' if right else '✗'}\n"
            f"it is: {values['truth']}\n"
            f"numbers that are 0: {100 * (maps == 0).mean():.0f} %"
        )

    def goal(self, values):
        return values["others"]["lenet"] != values["truth"] == values["others"]["resnet"]


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray]:
    from cvlab.world.datasets import Stickers10

    return Stickers10("test", PICTURES).arrays()


@functools.cache
def _maps(picture: int, name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the (C, H, W) maps of the three depths, and the probabilities of the classes."""
    from cvlab.cnn_training.batches import to_tensor
    from cvlab.cnn_training.records import load_net

    x, found = to_tensor(_pictures()[0][picture : picture + 1]), []
    for position, layer in enumerate(load_net(name)):
        x = layer(x)
        if position in LAYERS[name]:
            found.append(x[0].numpy())
    return found, x[0].softmax(dim=0).numpy()


def _tile(values: np.ndarray, side: int) -> np.ndarray:
    """Draw one map as (side, side, 1), its own largest number white."""
    top = values.max()
    gray = np.zeros(values.shape) if top <= 0 else 255 * values.clip(0) / top
    return stretch(gray.astype(np.uint8), side, side)[..., None]
