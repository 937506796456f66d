"""The recorded trainings of lesson 03: what `data/make_training.py` wrote, read back."""

import functools
import json

import numpy as np

from cvlab import settings

__all__ = ["explorer", "load_net", "record"]


@functools.cache
def record() -> dict:
    """Return the trainings of three networks and three seeds, and what went with them.

    Example:
        >>> sorted(record()["nets"]), [run["seed"] for run in record()["nets"]["lenet"]]
        (['dense', 'lenet', 'resnet'], [0, 1, 2])
    """
    path = settings.data_dir() / "training" / "record.json"
    return json.loads(path.read_text(encoding="utf-8"))


@functools.cache
def explorer() -> dict[str, np.ndarray]:
    """Return one LeNet epoch by epoch, from before the first to after the last.

    Returns:
        "kernels" (E, 6, 3, 5, 5) float16, "confusion" (E, 10, 10) counts with the true class by row, "loss" (E,), the
        first of them NaN, "accuracy" (E,) on 1000 pictures of the test style.

    Example:
        >>> explorer()["kernels"].shape
        (13, 6, 3, 5, 5)
    """
    with np.load(settings.data_dir() / "training" / "explorer.npz") as file:
        return dict(file)


@functools.cache
def load_net(name: str, *, augmented: bool = True):
    """Return a recorded network of seed 0 in evaluation mode: "lenet" (also without augmentation) or "resnet".

    Example:
        >>> load_net("lenet").training
        False
    """
    from cvlab import checkpoint, nets
    from cvlab._validate import one_of

    kind = "" if augmented else "_plain"
    one_of(name, "name", ("lenet", "resnet") if augmented else ("lenet",))
    model = nets.make(name)
    checkpoint.load_weights(settings.data_dir() / "weights" / f"{name}_stickers10{kind}.safetensors", model)
    return model.eval().requires_grad_(False)
