"""DINO's training: a student learns what its own past says of another view."""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from cvlab.distillation.maps import crop_maps
from cvlab.distillation.vit import ViT

__all__ = ["Projector", "dino_loss", "ema_update", "entropy", "small_vit", "teach"]


def dino_loss(student, teacher, center, student_temp: float = 0.1, teacher_temp: float = 0.04):
    """Return how badly the student foretells what the teacher says of *another* view: mean cross-entropy, a scalar.

    Args:
        student: (V, B, K) logits of V views; the teacher's views come first.
        teacher: (T, B, K) logits of the first T of them; no gradient flows to it.
        center: (K,) mean of the teacher's logits over many pictures, taken off.
        student_temp: what the student's logits are divided by.
        teacher_temp: the same for the teacher's; lower, so its answer is sharper.

    Example:
        >>> loss = dino_loss(torch.zeros(2, 5, 256), torch.zeros(2, 5, 256), torch.zeros(256))
        >>> round(loss.item(), 2), round(math.log(256), 2)
        (5.55, 5.55)

    Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021.
    """
    wanted = ((teacher.detach() - center) / teacher_temp).softmax(dim=-1)
    said = (student / student_temp).log_softmax(dim=-1)
    losses = [
        -(wanted[t] * said[s]).sum(dim=-1).mean()
        for t in range(len(teacher))
        for s in range(len(student))
        if s != t
    ]
    return torch.stack(losses).mean()


@torch.no_grad()
def ema_update(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move each weight of the teacher a little towards the student's: momentum * old + (1 - momentum) * new.

    Example:
        >>> teacher, student = nn.Linear(1, 1), nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(teacher.weight), nn.init.ones_(student.weight)
        >>> ema_update(teacher, student, 0.9)
        >>> round(teacher.weight.item(), 2)
        0.1
    """
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old.mul_(momentum).add_(new, alpha=1 - momentum)


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean entropy of softmax(logits) (..., K): 0 for one sure answer, ln K where all are equally likely.

    Example:
        >>> round(entropy(torch.zeros(1, 256)).item() / math.log(256), 5)
        1.0
    """
    said = logits.log_softmax(dim=-1)
    return -(said.exp() * said).sum(dim=-1).mean()


class Projector(nn.Module):
    """A network and the head of DINO: (B, ...) to (B, K) logits, cosines between a bottleneck and K directions.

    Args:
        net: gives (B, width); what is kept when the training is over.
        width: numbers a picture that `net` gives.
        answers: K, how many.

    Example:
        >>> Projector(nn.Flatten(), 12)(torch.randn(2, 3, 2, 2)).abs().max() <= 1
        tensor(True)
    """

    def __init__(self, net: nn.Module, width: int = 96, answers: int = 256):
        super().__init__()
        self.net = net
        self.mlp = nn.Sequential(nn.Linear(width, 256), nn.GELU(), nn.Linear(256, 64))
        self.directions = nn.Parameter(torch.randn(answers, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.normalize(self.mlp(self.net(x)), dim=-1)
        return x @ F.normalize(self.directions, dim=-1).T


def small_vit() -> ViT:
    """Return the transformer of lesson 08, untrained: two blocks of four heads on maps of 112 channels.

    Example:
        >>> small_vit()(torch.zeros(1, 112, 12, 12)).shape
        torch.Size([1, 96])
    """
    return ViT(12, 1, channels=112, positions=False)


def teach(
    student: Projector,
    first: torch.Tensor,
    second: torch.Tensor,
    steps: int,
    *,
    batch: int = 16,
    rate: float = 2e-3,
    momentum: float = 0.98,
    teacher_temp: float = 0.04,
    centered: bool = True,
    watch: Callable[[int, dict], None] | None = None,
) -> Projector:
    """Train `student` by DINO on two views of each picture, and return its teacher.

    Args:
        student: it learns.
        first: (N, C, H, W) maps of one moment.
        second: the same things at another moment; the very same maps, if there is none.
        steps: in all; the rate rises, then falls to 0, while the momentum rises to 1.
        batch: pictures a step.
        rate: the highest.
        momentum: of the teacher at the beginning.
        teacher_temp: how sharp the teacher's answer is made.
        centered: take the mean answer off.
        watch: called after each step with its number, from 1, and {"loss", "entropy" of the teacher's answer,
            "teacher": the network}.
    """
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), rate, weight_decay=0.04)
    center = torch.zeros(len(student.directions))
    for step in range(1, steps + 1):
        falling = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, step / min(50, steps / 5)) * (falling + 0.02)
        some = torch.randperm(len(first))[:batch]
        views = [crop_maps(maps[some].float(), (0.4, 1), 6) for maps in (first, second)]
        with torch.no_grad():
            answers = torch.stack([teacher(view) for view in views])
        said = torch.stack([student(view) for view in views])
        loss = dino_loss(said, answers, center, teacher_temp=teacher_temp)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 3)
        optimizer.step()
        ema_update(teacher, student, 1 - (1 - momentum) * falling)
        if watch:
            watch(
                step,
                {
                    "loss": loss.item(),
                    "entropy": entropy((answers - center) / teacher_temp).item(),
                    "teacher": teacher,
                },
            )
        if centered:
            center = 0.9 * center + 0.1 * answers.mean((0, 1))
    return teacher
