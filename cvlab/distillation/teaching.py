"""DINO's training: a student learns what its own past says of another view."""

import copy
import math
from collections.abc import Callable
from numbers import Real

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.distillation.maps import crop_maps
from cvlab.distillation.vit import ViT

__all__ = ["Projector", "dino_loss", "ema_update", "entropy", "small_vit", "teach", "teach_step"]


def _views(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        slip = f". Several views? torch.stack({name})" if isinstance(value, list | tuple) else ""
        raise TypeError(f"{name} must be a torch tensor; got {type(value).__name__}{slip}")
    if value.ndim != 3:
        slip = f". One view? {name}[None]" if value.ndim == 2 else ""
        raise ValueError(
            f"{name} must have shape (V, B, K): views, pictures, answers; got {tuple(value.shape)}{slip}"
        )
    wrong = int((~torch.isfinite(value)).sum())
    if wrong:
        raise ValueError(
            f"{name} must be finite; got {wrong} of {value.numel()} that are not. "
            "Did the training run away? Lower the rate"
        )
    return value


def _temperature(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < math.inf:
        slip = ". Should one answer be quite sure? Take a small one, such as 0.01" if value == 0 else ""
        raise ValueError(f"{name} must be a number above 0; got {value!r}{slip}")
    return value


def share_kept(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        percent = isinstance(value, Real) and 1 < value <= 100
        slip = f". In percent? momentum={value / 100:g}" if percent else ""
        raise ValueError(f"{name} must lie in 0 to 1; got {value!r}{slip}")
    return value


def _other_views(student, teacher, center, **_) -> None:
    if len(student) < 2:
        raise ValueError(
            f"student must hold at least two views; got {len(student)}. What should one view foretell? "
            "Crop each picture twice"
        )
    if student.shape[1:] != teacher.shape[1:] or not 1 <= len(teacher) <= len(student):
        slip = ". In the wrong order? dino_loss(student, teacher, center)"
        slip = slip if student.shape[1:] == teacher.shape[1:] and len(teacher) else ""
        raise ValueError(
            "teacher must have the student's pictures and answers, and no more views; got teacher "
            f"{tuple(teacher.shape)} and student {tuple(student.shape)}{slip}"
        )
    if center.shape != student.shape[2:]:
        raise ValueError(
            f"center must have one number an answer, shape ({student.shape[2]},); got {tuple(center.shape)}. "
            "Of many pictures? answers.mean((0, 1))"
        )


def _one_architecture(teacher, student, **_) -> None:
    shapes = [[tuple(weights.shape) for weights in net.parameters()] for net in (teacher, student)]
    if shapes[0] != shapes[1]:
        pairs = enumerate(zip(*shapes, strict=False))
        where = next((f"weights {i} are {a} and {b}" for i, (a, b) in pairs if a != b), None)
        raise ValueError(
            "teacher and student must be one architecture; got "
            f"{where or f'{len(shapes[0])} and {len(shapes[1])} weights'}. "
            "teacher = copy.deepcopy(student)"
        )


@arguments(_other_views, student=_views, teacher=_views, student_temp=_temperature, teacher_temp=_temperature)
def dino_loss(student, teacher, center, student_temp: float = 0.1, teacher_temp: float = 0.04):
    """Return how badly the student foretells what the teacher says of *another* view: mean cross-entropy, a scalar.

    Args:
        student: (V, B, K) logits of V views, at least two; the teacher's views come first.
        teacher: (T, B, K) logits of the first T of them; no gradient flows to it.
        center: (K,) mean of the teacher's logits over many pictures, taken off.
        student_temp: what the student's logits are divided by, above 0.
        teacher_temp: the same for the teacher's; lower, so its answer is sharper.

    Raises:
        ValueError: for a single view, shapes that do not belong together, a temperature of 0 or below, NaN.

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


@arguments(_one_architecture, momentum=share_kept)
def ema_update(teacher, student, momentum) -> None:
    """Move each weight of the teacher a little towards the student's: momentum * old + (1 - momentum) * new, in place.

    Args:
        teacher: a network; it changes, and no gradient remembers how.
        student: one of the same architecture; it stays.
        momentum: share of the old weights that is kept, 0 to 1.

    Raises:
        ValueError: for a momentum outside 0 to 1, for networks whose weights differ in shape.

    Example:
        >>> teacher, student = nn.Linear(1, 1), nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(teacher.weight), nn.init.ones_(student.weight)
        >>> ema_update(teacher, student, 0.9)
        >>> round(teacher.weight.item(), 2)
        0.1

    Source: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017.
    """
    with torch.no_grad():
        pairs = zip(teacher.parameters(), student.parameters(), strict=True)
        for old, new in pairs:
            old.copy_(momentum * old + (1 - momentum) * new)


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


def teach_step(
    student, teacher, views, center, optimizer, momentum=0.99, teacher_temp=0.04, loss_of=dino_loss
):
    """Let the student learn from one batch, and the teacher follow; return the loss and what the teacher said.

    Args:
        student: it learns by gradient.
        teacher: it follows as the average of the student's past; its parameters need no gradient.
        views: of the same pictures, at least two, each (B, ...).
        center: (K,) taken off the teacher's logits.
        optimizer: of the student's parameters.
        momentum: how much of the old teacher is kept.
        teacher_temp: how sharp its answer is made.
        loss_of: `dino_loss`, or what takes its place.

    Returns:
        A float, and (V, B, K) logits of the teacher, before its step.

    Example:
        >>> student = Projector(nn.Flatten(), 12)
        >>> teacher = copy.deepcopy(student).requires_grad_(False)
        >>> optimizer = torch.optim.SGD(student.parameters(), 0.1)
        >>> loss, answers = teach_step(student, teacher, torch.randn(2, 5, 3, 2, 2), torch.zeros(256), optimizer)
        >>> answers.shape
        torch.Size([2, 5, 256])
    """
    answers = torch.stack([teacher(view) for view in views])
    said = torch.stack([student(view) for view in views])
    loss = loss_of(said, answers, center, teacher_temp=teacher_temp)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 3)
    optimizer.step()
    ema_update(teacher, student, momentum)
    return loss.item(), answers.detach()


def _pairs(student, first, second, **_) -> None:
    if first.shape != second.shape:
        raise ValueError(
            "first and second must be two moments of the same things, with the same shape; got "
            f"{tuple(first.shape)} and {tuple(second.shape)}"
        )


def small_vit() -> ViT:
    """Return the transformer of lesson 08, untrained: two blocks of four heads on maps of 112 channels.

    Example:
        >>> small_vit()(torch.zeros(1, 112, 12, 12)).shape
        torch.Size([1, 96])
    """
    return ViT(12, 1, channels=112, positions=False)


@arguments(_pairs, steps=positive_int, batch=positive_int, momentum=share_kept, teacher_temp=_temperature)
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
    size: int = 6,
    watch: Callable[[int, dict], None] | None = None,
) -> Projector:
    """Train `student` by DINO on two views of each picture, and return its teacher.

    Args:
        student: it learns.
        first: (N, C, H, W) maps, or pictures, of one moment.
        second: the same things at another moment; the very same maps, if there is none.
        steps: in all; the rate rises, then falls to 0, while the momentum rises to 1.
        batch: pictures a step.
        rate: the highest.
        momentum: of the teacher at the beginning.
        teacher_temp: how sharp the teacher's answer is made.
        centered: take the mean answer off.
        size: places, or pixels, of a view each way.
        watch: called after each step with its number, from 1, and {"loss", "entropy" of the teacher's answer,
            "teacher": the network}.

    Raises:
        ValueError: for moments that differ in shape, a momentum outside 0 to 1, a temperature of 0 or below.
    """
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), rate, weight_decay=0.04)
    center = torch.zeros(len(student.directions))
    for step in range(1, steps + 1):
        falling = 0.5 * (1 + math.cos(math.pi * step / steps))
        warm = min(1, step / min(50, steps / 5))
        optimizer.param_groups[0]["lr"] = rate * warm * (falling + 0.02)
        some = torch.randperm(len(first))[:batch]
        views = [crop_maps(maps[some].float(), (0.4, 1), size) for maps in (first, second)]
        loss, answers = teach_step(
            student, teacher, views, center, optimizer, 1 - (1 - momentum) * falling, teacher_temp
        )
        if watch:
            sure = entropy((answers - center) / teacher_temp).item()
            watch(step, {"loss": loss, "entropy": sure, "teacher": teacher})
        if centered:
            center = 0.9 * center + 0.1 * answers.mean((0, 1))
    return teacher
