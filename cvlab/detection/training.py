"""Train the head of a one-stage detector on frozen maps, which are computed once."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.optim.lr_scheduler import OneCycleLR

from cvlab.detection.one_stage import OneStage, answers, loss_of, targets
from cvlab.detection.pyramid import places
from cvlab.segmentation.topdown import maps_of
from cvlab.world.scenes import Scene

__all__ = ["found_on", "levels_of", "train_head"]


def levels_of(scenes: Sequence[Scene], *, mirrored: bool = False) -> list[torch.Tensor]:
    """Return the frozen network's maps of scenes with strides 8, 16 and 32, half precision, at the scenes' own size.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> [tuple(level.shape) for level in levels_of(make_scenes(1, size=64))]
        [(1, 40, 8, 8), (1, 112, 4, 4), (1, 320, 2, 2)]
    """
    images = np.stack([scene.image for scene in scenes])
    images = np.ascontiguousarray(images[:, :, ::-1]) if mirrored else images
    return maps_of(images, 3, images.shape[1])[1:]


def train_head(
    net: OneStage,
    maps: list[torch.Tensor],
    truths: Sequence[tuple[torch.Tensor, torch.Tensor]],
    steps: int,
    rate: float = 0.005,
    watch: Callable[[int, float], None] | None = None,
) -> None:
    """Train on 8 pictures a step; the rate rises, then falls to 0.

    Args:
        net: it is left in evaluation.
        maps: three levels of N pictures, as `levels_of` gives them.
        truths: boxes (n, 4) and labels (n,) of each picture, in pixels.
        steps: in all.
        rate: the highest.
        watch: called after each step with its number, from 1, and its loss.
    """
    cells = places(8 * maps[0].shape[-1], net.strides)
    pairs = [targets(boxes, labels, cells) for boxes, labels in truths]
    wanted, truth = map(torch.stack, zip(*pairs, strict=True))
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.05)
    schedule = OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    net.train()
    for step in range(1, steps + 1):
        some = torch.randperm(len(wanted))[:8]
        x = [level[some].float() for level in maps]
        loss = sum(loss_of(*net(x), cells, wanted[some], truth[some]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if watch:
            watch(step, loss.item())
    net.eval()


@torch.inference_mode()
def found_on(net: OneStage, maps: list[torch.Tensor], batch: int = 25) -> list[dict]:
    """Return the answers for pictures of which the maps are given, one dict a picture."""
    net.eval()
    side, found = 8 * maps[0].shape[-1], []
    cells = places(side, net.strides)
    for i in range(0, len(maps[0]), batch):
        found += answers(*net([level[i : i + batch].float() for level in maps]), cells, side)
    return found
