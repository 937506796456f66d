"""Section 7 of lesson 08b: DINO's own ViT-S/16, in our class, on any photo; random weights, said in words, where the course is offline."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab import _validate, settings
from cvlab.distillation.pretrained import load_timm
from cvlab.distillation.vit import ViT
from cvlab.preprocessing.preprocess import IMAGENET_MEAN, IMAGENET_STD
from cvlab.store import weights
from cvlab.store.registry import SWITCH
from cvlab.transfer_learning.real import from_hub

__all__ = ["PATCH", "REPO", "network", "prepare"]

REPO, PATCH = "timm/vit_small_patch16_224.dino", 16
MEAN = torch.tensor(IMAGENET_MEAN)[:, None, None]
SPREAD = torch.tensor(IMAGENET_STD)[:, None, None]


def network(*, endpoint: str | None = None) -> tuple[ViT, bool]:
    """Return DINO's ViT-S/16 in our class, and whether it has its weights: where it says "skipped", they are random.

    No sum of the file is published beside it: it must have the sum that the hub itself states, and each name and shape.

    Args:
        endpoint: address of another hub, or None.

    Returns:
        A `ViT` in evaluation mode, from (B, 3, 224, 224) to (B, 384), and True where its weights were learnt.

    Raises:
        ValueError: the file's tensors are of another patch size, or of another architecture.

    Example:
        >>> net, learnt = network()
        Real: skipped, timm/vit_small_patch16_224.dino (87 MB) is not part of the course and the course is offline. ...
        >>> learnt, len(net.blocks)
        (False, 12)

    Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021; Apache-2.0.
    """
    with torch.random.fork_rng(devices=[]):  # so that what comes next draws the same numbers on- and offline
        torch.manual_seed(0)
        net = ViT(224, PATCH, width=384, depth=12, heads=6, ratio=4).eval()
    if not settings.is_online():
        print(f"Real: skipped, {REPO} (87 MB) is not part of the course and the course is offline. {SWITCH}")
        return net, False
    try:
        path = from_hub(REPO, endpoint=endpoint)
    except weights.DataUnavailable as error:
        print(f"Real: skipped. {error}")
        return net, False
    load_timm(net, weights.load(path), REPO)
    print(f"Real: {REPO} is ready, from its hub.")
    return net, True


@_validate.arguments(photo=_validate.rgb, side=_validate.positive_int)
def prepare(photo: np.ndarray, side: int = 224) -> tuple[torch.Tensor, np.ndarray]:
    """Cut the square in the middle out of a photo, bring it to `side` pixels, and normalise it as DINO was trained.

    Args:
        photo: (H, W, 3) uint8 RGB.
        side: of the square, a multiple of 16.

    Returns:
        (1, 3, side, side) float for the network, and the same as (side, side, 3) uint8 to look at.

    Raises:
        ValueError: no photo, or a side that is no multiple of the patch.

    Example:
        >>> x, shown = prepare(np.zeros((300, 451, 3), np.uint8))
        >>> x.shape, shown.shape
        (torch.Size([1, 3, 224, 224]), (224, 224, 3))
    """
    if side % PATCH:
        below = side // PATCH * PATCH
        near = f"{below} or {below + PATCH}" if below else f"{PATCH}"
        raise ValueError(f"side must be a multiple of the patch, {PATCH}; got {side}. {near}?")
    least = min(photo.shape[:2])
    top, left = ((length - least) // 2 for length in photo.shape[:2])
    square = torch.from_numpy(photo[top : top + least, left : left + least].copy())
    x = square.permute(2, 0, 1)[None].float()
    x = F.interpolate(x, size=(side, side), mode="bicubic", antialias=True).clamp(0, 255).round()
    return (x / 255 - MEAN) / SPREAD, x[0].permute(1, 2, 0).byte().numpy()
