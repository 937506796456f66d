"""Four ways to teach EfficientNet-Lite0 a few new classes: frozen, its last block, all of it, from scratch."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import one_of
from cvlab.store import weights
from cvlab.transfer_learning.backbone import features, prepare
from cvlab.transfer_learning.levels import each_level

__all__ = ["WAYS", "fine_tune", "fit_head", "levels", "start", "vary"]

WAYS = ("frozen", "last block", "all", "from scratch")


def start(way: str, classes: int, seed: int = 0) -> tuple[nn.Module, list[nn.Module]]:
    """Return a network with a new head, and those of its parts that are to learn in this way.

    Args:
        way: "last block" (the last stage, the convolution behind it, the head), "all" or "from scratch" (all, from random weights).
        classes: outputs of the new head.
        seed: of the random weights.

    Example:
        >>> net, parts = start("last block", 10)
        >>> sum(p.numel() for part in parts for p in part.parameters())
        1030410
    """
    import timm

    one_of(way, "way", WAYS[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if way == "from scratch":
            net = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=classes)
        else:
            net = weights.efficientnet_lite0(classes)
    body = [net.blocks[-1], net.conv_head, net.bn2] if way == "last block" else [net]
    return net.to(memory_format=torch.channels_last), [*body, net.classifier]


def vary(x: torch.Tensor, rng: torch.Generator, reach: int = 8) -> torch.Tensor:
    """Return pictures (B, 3, H, W) mirrored by chance, and moved by up to `reach` pixels; the edge is mirrored.

    Example:
        >>> vary(torch.zeros(2, 3, 32, 32), torch.Generator()).shape
        torch.Size([2, 3, 32, 32])
    """
    height, width = x.shape[2:]
    flip = torch.rand(len(x), generator=rng) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    wide = F.pad(x, [reach] * 4, mode="reflect")
    places = torch.randint(2 * reach + 1, (len(x), 2), generator=rng).tolist()
    x = torch.stack([one[:, r : r + height, c : c + width] for one, (r, c) in zip(wide, places, strict=True)])
    return x.contiguous(memory_format=torch.channels_last)


def fine_tune(net, parts, images, labels, *, rates, steps, seed=0) -> list[float]:
    """Train `parts` of `net` with AdamW and one cycle, 16 varied pictures a step.

    BatchNorm stays as the caller left it, `net.train()` or `net.eval()`.

    Args:
        net: from (B, 3, H, W) to (B, K) logits.
        parts: modules of `net` that learn, the head last; the others stay as they are.
        images: (N, H, W, 3) uint8 RGB.
        labels: (N,) integers.
        rates: the highest learning rates of the body and of the head.
        steps: how many.
        seed: of the order and of the changes.

    Returns:
        The training loss of each step.

    Example:
        >>> net, parts = start("last block", 10)
        >>> len(fine_tune(net, parts, np.zeros((2, 32, 32, 3), np.uint8), [0, 1], rates=(1e-3, 1e-2), steps=3))
        3
    """
    x, y = prepare(images), torch.as_tensor(labels)
    rng = torch.Generator().manual_seed(seed)
    net.requires_grad_(False)
    for part in parts:
        part.requires_grad_(True)
    head = set(parts[-1].parameters())
    body = [p for p in net.parameters() if p.requires_grad and p not in head]
    optimizer = torch.optim.AdamW([{"params": body}, {"params": [*head]}])
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, steps)
    epochs = [torch.randperm(len(x), generator=rng) for _ in range(16 * steps // len(x) + 1)]
    losses = []
    for rows in torch.cat(epochs)[: 16 * steps].split(16):
        loss = F.cross_entropy(net(vary(x[rows], rng)), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        losses.append(loss.item())
    return losses


def levels(net, images: np.ndarray, batch: int = 50) -> dict[str, torch.Tensor]:
    """Return two frozen descriptions of pictures, each level's mean over the picture.

    Returns:
        "head": (N, 1280) what the network's own head sees; "blocks": (N, 624) its last three stages, side by side.

    Example:
        >>> net, _ = start("all", 10)
        >>> {name: x.shape[1] for name, x in levels(net, np.zeros((2, 64, 64, 3), np.uint8)).items()}
        {'head': 1280, 'blocks': 624}
    """

    def means(x):  # blocks 4 to 6 and the head
        return torch.cat([maps.mean((2, 3)) for maps in each_level(net, x)[5:]], 1)

    blocks, head = features(means, images, batch).split([624, 1280], dim=1)
    return {"head": head, "blocks": blocks}


def fit_head(x: torch.Tensor, labels, classes: int, *, rate: float, steps: int = 300) -> nn.Module:
    """Train a linear head on (N, D) features, all of them in every step; return it with their scaling in front.

    Example:
        >>> fit_head(torch.eye(2), [0, 1], 2, rate=0.01)(torch.eye(2)).argmax(1)
        tensor([0, 1])
    """
    y = torch.as_tensor(labels)
    norm = nn.BatchNorm1d(x.shape[1], affine=False, eps=1e-2)
    norm.running_mean, norm.running_var = x.mean(0), x.var(0)
    head = nn.Sequential(norm, nn.Linear(x.shape[1], classes)).eval()
    nn.init.zeros_(head[1].weight), nn.init.zeros_(head[1].bias)
    optimizer = torch.optim.AdamW(head.parameters(), rate, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(head(x), y).backward()
        optimizer.step()
    return head
