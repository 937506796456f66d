"""The exercise of lesson 08a that lets a teacher follow its student: the moving average of weights."""

from typing import NamedTuple

import torch
from torch import nn

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.distillation import teaching

__all__ = ["EMA_UPDATE"]


class _Seen(NamedTuple):
    returned: object
    teacher: torch.Tensor
    student: torch.Tensor
    teacher_remembers_the_student: bool
    student_still_learns: bool


def _net(weights) -> nn.Module:
    net = nn.Module()
    for i, part in enumerate(weights):
        net.register_parameter(f"weights_{i}", nn.Parameter(torch.tensor(part)))
    return net


def _flat(net: nn.Module) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in net.parameters()])


def _apply(function, teacher, student, momentum, times):
    """Return what both networks are afterwards, and whether a gradient could flow where none should."""
    old, new = _net(teacher).requires_grad_(False), _net(student)
    for _ in range(times):
        returned = function(old, new, momentum)
    remembers = any(part.requires_grad or part.grad_fn is not None for part in old.parameters())
    learns = all(part.requires_grad and part.grad_fn is None for part in new.parameters())
    return _Seen(returned, _flat(old), _flat(new), remembers, learns)


def _case(teacher, student, momentum, times=1) -> Case:
    again = f", {times} times" if times > 1 else ""
    text = f"ema_update(teacher, student, {momentum}){again}; weights {teacher} and {student}"
    return Case(teacher=teacher, student=student, momentum=momentum, times=times).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case([[0.0]], [[1.0]], 0.9),
        _case([[2.0]], [[4.0]], 0.75),
        _case([[1.0, -2.0], [0.5]], [[3.0, 2.0], [-1.5]], 0.5),
        _case([[0.0]], [[1.0]], 0.9, times=3),
        _case([[1.0, 5.0]], [[2.0, -3.0]], 0.0),
        _case([[1.0, 5.0]], [[2.0, -3.0]], 1.0),
        _case([[[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0], [7.0]], [[[0.0, 1.0], [-1.0, 2.0]], [0.5, 9.0], [-7.0]], 0.99),
    ]  # fmt: skip


@torch.no_grad()
def _other(teacher, student, momentum):
    """By name, a step of the right length towards the student."""
    aims = dict(student.named_parameters())
    for name, weights in teacher.named_parameters():
        weights += (1 - momentum) * (aims[name] - weights)


def _made(rule, *, to="teacher", some=slice(None)):
    """Return an `ema_update` that writes `rule(old, new, momentum)` into one of the networks."""

    @torch.no_grad()
    def ema_update(teacher, student, momentum):
        for old, new in list(zip(teacher.parameters(), student.parameters(), strict=True))[some]:
            (old if to == "teacher" else new).copy_(rule(old, new, momentum))

    return ema_update


def _right(old, new, momentum):
    return momentum * old + (1 - momentum) * new


@torch.no_grad()
def _rebinds(teacher, student, momentum):
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old = _right(old, new, momentum)  # noqa: F841, PLW2901


@torch.no_grad()
def _returns(teacher, student, momentum):
    pairs = zip(teacher.parameters(), student.parameters(), strict=True)
    return [_right(old, new, momentum) for old, new in pairs]


def _remembers(teacher, student, momentum):
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old.mul_(momentum).add_((1 - momentum) * new)


def _shares(teacher, student, momentum):
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        new.data = old.data = _right(old.data, new.data, momentum)


def _freezes(teacher, student, momentum):
    student.requires_grad_(False)
    _made(_right)(teacher, student, momentum)


EMA_UPDATE = Exercise(
    name="ema_update",
    lesson="08a",
    minutes=5,
    difficulty="easy",
    reference=teaching.ema_update,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    mistakes=[
        Mistake("the wrong way round", _made(lambda old, new, m: (1 - m) * old + m * new), "You keep `1 - momentum` of the teacher. `momentum` is the share of the old weights that stays."),
        Mistake("old is not reduced", _made(lambda old, new, m: old + (1 - m) * new), "The old weights keep their full size, so the teacher grows without end. They are multiplied by `momentum`."),
        Mistake("new is not reduced", _made(lambda old, new, m: m * old + new), "The student's weights come in full, so the teacher grows too large. They are multiplied by `1 - momentum`."),
        Mistake("both by momentum", _made(lambda old, new, m: m * (old + new)), "Both have the weight `momentum`. The two shares add up to 1: the student's is `1 - momentum`."),
        Mistake("plain mean", _made(lambda old, new, m: (old + new) / 2), "You take the plain mean. How much of the teacher stays is the argument `momentum`."),
        Mistake("copy", _made(lambda old, new, m: new), "You copy the student. The teacher is an average of its past: only `1 - momentum` is new."),
        Mistake("always 0.99", _made(lambda old, new, m: _right(old, new, 0.99)), "momentum is an argument: use the one that was given."),
        Mistake("away from the student", _made(lambda old, new, m: old - (1 - m) * (new - old)), "The teacher moves away from the student. Turn the sign: towards `new - old`."),
        Mistake("into the student", _made(_right, to="student"), "You write into the student. It learns by gradient alone; the teacher is what moves here."),
        Mistake("the first weights only", _made(_right, some=slice(1)), "Only the first weights move. Go through all pairs of `parameters()`."),
        Mistake("into a new name", _rebinds, "`old = ...` names a new tensor, and the network keeps its weights. Write into them: `old.copy_(...)`."),
        Mistake("new weights returned", _returns, "You return new weights, and the teacher stays as it is. Write into it: `old.copy_(...)`; return nothing."),
        Mistake("remembered for gradients", _remembers, "The numbers are right, but PyTorch recorded how they were made, and the teacher would drag the whole past along. Work under `with torch.no_grad():`."),
        Mistake("shared weights", _shares, "You move the student too. It stays where it is; the teacher alone follows."),
        Mistake("student frozen", _freezes, "You switched off the student's gradients, so that it cannot learn any more. Leave it as it is, and work under `with torch.no_grad():`."),
    ],
    hints=[
        "By hand: the teacher at 0, the student at 1, momentum 0.9. The teacher keeps 0.9 of 0 and takes 0.1 of 1: 0.1.",
        "Weights come in pairs, and no gradient may remember what you do with them:\n"
        "    with torch.no_grad():\n"
        "        pairs = zip(teacher.parameters(), student.parameters(), strict=True)\n"
        "        for old, new in pairs:",
        "Write into the teacher's tensor, do not name a new one:\n"
        "    old.copy_(momentum * old + (1 - momentum) * new)",
    ],
    note="The teacher needs no optimizer, no loss and no gradient: a line of arithmetic is all its training.",
)  # fmt: skip
