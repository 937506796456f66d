"""What the recipe of lesson 08 recorded, and the networks that it trained."""

import functools

from cvlab import settings
from cvlab._validate import one_of
from cvlab.distillation.teaching import small_vit
from cvlab.distillation.vit import ViT
from cvlab.store.checkpoint import load_weights
from cvlab.store.records import training_record

__all__ = ["NAMES", "checkpoint", "record"]

NAMES = ("dino", "same", "supervised")


@functools.cache
def record() -> dict:
    """Return the numbers of `data/make_dino.py`; see data/README.md.

    Example:
        >>> sorted(record()["pair"])[:2]
        ['another background, moved', 'another background, not moved']
    """
    return training_record("dino.json")


def checkpoint(name: str = "dino") -> ViT:
    """Return a transformer that the recipe trained on frozen maps, in evaluation, not to be trained.

    Args:
        name: "dino": two views before different backgrounds, no labels; "same": the background stayed;
            "supervised": the same architecture, told the 18 groups.

    Example:
        >>> import torch
        >>> checkpoint()(torch.zeros(1, 112, 12, 12)).shape
        torch.Size([1, 96])
    """
    net = small_vit()
    load_weights(settings.data_dir() / "weights" / f"{one_of(name, 'name', NAMES)}_things.safetensors", net)
    return net.eval().requires_grad_(False)
