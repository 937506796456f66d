"""Lesson 04: where a classifier looked, for each of its three likeliest classes and at each level."""

import functools

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import board, dense

__all__ = ["GradCam"]

LEVELS = ("blocks.2", "blocks.4", "blocks.5", "blocks.6", "bn2")
CHOSEN = (3, 20, 7, 12, 25, 29)  # of the test pictures: two of them are named wrong by a clear margin
RANKS = ("1st", "2nd", "3rd")
SIZE, SHOWN = 224, 300  # pixels of a picture, CSS pixels of it on the page
MAGMA = np.array([(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)])


class GradCam(Widget):
    """Choose a picture, one of the net's three likeliest classes and a level; see what speaks for that class.

    Args:
        net: a ten-class `tf_efficientnet_lite0`, as `cvlab.transfer_learning.gradcam.ten_class_net` gives;
            without one, the widget trains its own head.

    Example:
        >>> GradCam(picture=2).readout.splitlines()[0]
        'it is: airplane'
    """

    control_width = 260
    alt = "A small object in a photo, and the same photo in grey under a map of heat"
    default_task = (
        "Find a picture that it names wrong, and a level at which less heat for its first "
        "answer lies on the object than a flat map would put there."
    )
    learnt = "The heat of a wrong answer can lie on the background, and no probability tells you."
    answer = {"picture": 3, "level": 3}

    def __init__(self, net=None, **options):
        self.images, self.masks, self.truth, self.classes = _pictures()
        self.found = [_looked(net or _own_net(), image) for image in self.images]
        super().__init__(**options)

    def controls(self):
        return {
            "picture": ipywidgets.IntSlider(1, 1, len(CHOSEN), description="picture"),
            "answer": ipywidgets.ToggleButtons(options=list(RANKS), value=RANKS[0], description="its answer"),
            "level": ipywidgets.IntSlider(5, 1, len(LEVELS), description="level"),
        }

    def compute(self, picture, answer, level):
        index = picture - 1
        shares, heats = self.found[index]
        order, rank = np.argsort(-shares, kind="stable"), RANKS.index(answer)
        small = heats[rank][level - 1]
        heat, mask = _enlarged(small), self.masks[index]
        total = float(heat.sum())
        return {
            "image": self.images[index],
            "mask": mask,
            "heat": heat,
            "size": len(small),
            "truth": self.classes[self.truth[index]],
            "first": self.classes[order[0]],
            "asked": self.classes[order[rank]],
            "rank": rank,
            "probability": float(shares[order[rank]]),
            "layer": LEVELS[level - 1],
            "inside": float(heat[mask].sum()) / total if total else 0.0,
            "area": float(mask.mean()),
            "hit": bool(total and mask.flat[heat.argmax()]),
        }

    def draw(self, values):
        heat = values["heat"] / max(float(values["heat"].max()), 1e-9)
        colours = np.stack(
            [np.interp(heat, np.linspace(0, 1, len(MAGMA)), MAGMA[:, c]) for c in range(3)], axis=2
        )
        mixed = 0.4 * values["image"].mean(axis=2, keepdims=True) + 0.6 * colours  # (H, W, 3)
        title = f"speaks for {values['asked']}, at {values['layer']}"
        photo, overlay = (dense(p, SHOWN) for p in (values["image"], mixed.astype(np.uint8)))
        return board([[("the picture", photo), (title, overlay)]], self.palette)

    def text(self, values):
        mark = "✓" if values["first"] == values["truth"] else "✗"
        hit = "on the object" if values["hit"] else "beside the object"
        return (
            f"it is: {values['truth']}\n"
            f"its first answer: {values['first']} {mark}\n"
            f"shown: {values['asked']}, sure to {100 * values['probability']:.0f} %\n"
            f"map: {values['size']} x {values['size']}, of {values['layer']}\n"
            f"heat on the object: {100 * values['inside']:.0f} %\n"
            f"a flat map: {100 * values['area']:.0f} %\n"
            f"hottest place: {hit}"
        )

    def goal(self, values):
        wrong = values["first"] != values["truth"]
        return wrong and values["rank"] == 0 and values["heat"].any() and values["inside"] < values["area"]


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    from cvlab.world.single import make_pictures

    chosen = list(CHOSEN)
    all_of_them = make_pictures(max(chosen) + 1, "test", size=SIZE, length=(28, 51))
    return (
        all_of_them.images[chosen],
        all_of_them.masks[chosen],
        all_of_them.labels[chosen],
        all_of_them.classes,
    )


@functools.cache
def _own_net():
    from cvlab.transfer_learning.backbone import ten_classes
    from cvlab.transfer_learning.gradcam import ten_class_net

    return ten_class_net(ten_classes()["train"])


def _looked(net, image: np.ndarray) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Return the classes' probabilities and, for the likeliest three, one (h, w) map a level: one way forward for all."""
    import torch

    from cvlab.transfer_learning.backbone import prepare

    kept = []
    hooks = [
        net.get_submodule(name).register_forward_hook(lambda module, given, out: kept.append(out))
        for name in LEVELS
    ]
    try:
        logits = net(prepare(image[None]).requires_grad_())[0]  # (10,)
    finally:
        for hook in hooks:
            hook.remove()
    heats = []
    for label in logits.argsort(descending=True, stable=True)[: len(RANKS)]:
        slopes = torch.autograd.grad(logits[label], kept, retain_graph=True)
        heats.append([_heat(maps, slope) for maps, slope in zip(kept, slopes, strict=True)])
    return logits.detach().softmax(dim=0).numpy(), heats


def _heat(maps, slope) -> np.ndarray:
    return (slope.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].relu().detach().numpy()


def _enlarged(heat: np.ndarray) -> np.ndarray:
    """Grow a small map to the picture's size, as `grad_cam` does."""
    import torch
    import torch.nn.functional as F

    return F.interpolate(torch.from_numpy(heat)[None, None], (SIZE, SIZE), mode="bilinear")[0, 0].numpy()
