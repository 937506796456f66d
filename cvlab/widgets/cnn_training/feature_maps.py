"""Lesson 03: what each depth of a trained network makes of a picture."""

import functools

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import BOARD, board, enlarge, stretch
from cvlab.world.stickers import CIFAR10

__all__ = ["FeatureMaps"]

LAYERS = {"lenet": (1, 4, 5), "resnet": (2, 3, 4)}  # positions in the Sequential, by depth
PICTURES, SHOWN, TILE = 30, 16, 76


class FeatureMaps(Widget):
    """Choose a picture of the unseen style, a network and a depth; see the feature maps and the answer.

    Example:
        >>> FeatureMaps(net="resnet", depth=2).readout.splitlines()[0]
        'maps: 32 of 8 x 8, after 2 of 3 stages'
    """

    format = "png"
    alt = "A small picture and the feature maps that a trained network makes of it"
    default_task = "Find a picture that LeNet names wrong and the residual net right."
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
        maps = values["maps"]
        strongest = np.argsort(-maps.max(axis=(1, 2)), kind="stable")[:SHOWN]
        tiles = [_tile(maps[k]) for k in strongest]
        tiles += [np.full((TILE, TILE, 3), BOARD, np.uint8)] * (-len(tiles) % 4)
        rows = [np.concatenate(tiles[i : i + 4], axis=1) for i in range(0, len(tiles), 4)]
        return board(
            [
                [
                    ("the picture", enlarge(values["image"], 9)),
                    (f"the strongest {len(strongest)} of {len(maps)} maps", np.concatenate(rows)),
                ]
            ]
        )

    def text(self, values):
        maps, right = values["maps"], values["answer"] == values["truth"]
        return (
            f"maps: {len(maps)} of {maps.shape[1]} x {maps.shape[2]}, after {values['depth']} of 3 stages\n"
            f"{values['net']} says: {values['answer']}, sure to {100 * values['sure']:.0f} % {'✓' if right else '✗'}\n"
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


def _tile(values: np.ndarray) -> np.ndarray:
    """Draw one map, its own largest number white, with a border to its right and below."""
    top = values.max()
    gray = np.zeros(values.shape) if top <= 0 else 255 * values.clip(0) / top
    out = np.full((TILE, TILE, 3), BOARD, np.uint8)
    out[: TILE - 4, : TILE - 4] = stretch(gray.astype(np.uint8), TILE - 4, TILE - 4)[..., None]
    return out
