"""The exercise of lesson 08a that asks a student what its teacher says of another view: DINO's loss."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.distillation import teaching

__all__ = ["DINO_LOSS"]


class _Seen(NamedTuple):
    loss: torch.Tensor
    gradient_of_the_student: torch.Tensor
    gradient_of_the_teacher: torch.Tensor


def _apply(function, student, teacher, center, **more):
    """Return the loss and how it changes with what either network said: the teacher's part must be 0."""
    leaves = [part.clone().requires_grad_() for part in (student, teacher)]
    given = [leaf * 1 for leaf in leaves]  # as in a real net: results, into which one could write
    loss = function(*given, center, **more)
    for kept, part in zip((student, teacher), given, strict=True):
        kept.copy_(part.detach())  # so that writing into it is seen
    still = [torch.zeros_like(leaf) for leaf in leaves]
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return _Seen(loss, *still)
    slopes = torch.autograd.grad(loss.sum(), leaves, allow_unused=True)
    slopes = (zero if slope is None else slope for slope, zero in zip(slopes, still, strict=True))
    return _Seen(loss.detach(), *slopes)


def _case(student, teacher, center, **more) -> Case:
    words = "".join(f", {name}={value}" for name, value in more.items())
    text = f"dino_loss(torch.tensor({student}), torch.tensor({teacher}), torch.tensor({center}){words})"
    parts = {"student": student, "teacher": teacher, "center": center}
    return Case(**{name: torch.tensor(part) for name, part in parts.items()}, **more).shown_as(text)


def _random(views: int, teachers: int, pictures: int, answers: int, **more) -> Case:
    dice = torch.Generator().manual_seed(views + answers)
    student, teacher = (torch.rand(n, pictures, answers, generator=dice) * 2 - 1 for n in (views, teachers))
    center = torch.rand(answers, generator=dice) - 0.5
    case = _case(
        *[[[[round(v, 1) for v in row] for row in view] for view in part] for part in (student.tolist(), teacher.tolist())],
        [round(v, 1) for v in center.tolist()],
        **more,
    )  # fmt: skip
    return case.shown_as(
        f"student ({views}, {pictures}, {answers}), teacher ({teachers}, {pictures}, {answers}), all random"
    )


def _cases() -> list[Case]:
    return [
        _case([[[0.0, 0.0]], [[0.1, 0.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]], [0.0, 0.0]),
        _case([[[0.2, 0.0, 0.0]], [[0.0, 0.1, 0.0]]], [[[0.1, 0.0, 0.0]], [[0.0, 0.0, 0.2]]], [0.0, 0.0, 0.0]),
        _case([[[0.2, 0.0]], [[0.0, 0.1]]], [[[0.3, 0.0]], [[0.3, 0.2]]], [0.3, 0.1]),
        _case([[[0.2, 0.0]], [[0.0, 0.1]]], [[[0.3, 0.0]], [[0.3, 0.2]]], [0.3, 0.1], student_temp=0.5, teacher_temp=0.2),
        _random(2, 2, 3, 4),
        _random(4, 2, 2, 3),
        _random(3, 1, 2, 5, student_temp=1.0, teacher_temp=0.5),
        _case([[[20.0, -20.0]], [[-20.0, 20.0]]], [[[20.0, -20.0]], [[20.0, -20.0]]], [0.0, 0.0]),
    ]  # fmt: skip


def _other(student, teacher, center, student_temp=0.1, teacher_temp=0.04):
    """All pairs of views in one product; the pairs of a view with itself are left out of the table."""
    with torch.no_grad():
        wanted = F.softmax((teacher - center) / teacher_temp, dim=2)
    said = F.log_softmax(student / student_temp, dim=2)
    table = -torch.einsum("tbk,sbk->ts", wanted, said) / student.shape[1]
    other = ~torch.eye(len(teacher), len(student), dtype=torch.bool)
    return table[other].mean()


def _wanted(teacher, center, temp):
    return ((teacher - center) / temp).softmax(-1)


def _said(student, temp):
    return (student / temp).log_softmax(-1)


def _pair(wanted, said):
    return -(wanted * said).sum(-1).mean()


def _made(*, wanted=_wanted, said=_said, pair=_pair, off=lambda t, s: s != t, hold=torch.Tensor.detach,
          temps=lambda student, teacher: (student, teacher), end=lambda losses: losses.mean()):  # fmt: skip
    """Return a `dino_loss` that differs from the right one as the arguments say."""

    def dino_loss(student, teacher, center, student_temp=0.1, teacher_temp=0.04):
        student_temp, teacher_temp = temps(student_temp, teacher_temp)
        aims, answers = hold(wanted(teacher, center, teacher_temp)), said(student, student_temp)
        pairs = [(t, s) for t in range(len(teacher)) for s in range(len(student)) if off(t, s)]
        return end(torch.stack([pair(aims[t], answers[s]) for t, s in pairs]))

    return dino_loss


def _swapped_roles(student, teacher, center, student_temp=0.1, teacher_temp=0.04):
    aims, answers = (
        (student / student_temp).softmax(-1),
        ((teacher.detach() - center) / teacher_temp).log_softmax(-1),
    )
    pairs = [(t, s) for t in range(len(teacher)) for s in range(len(student)) if s != t]
    return torch.stack([_pair(aims[s], answers[t]) for t, s in pairs]).mean()  # fmt: skip


def _divergence(wanted, said):
    return (wanted * (wanted.clamp(min=1e-30).log() - said)).sum(-1).mean()


def _sure(teacher, center, temp):
    logits = teacher - center
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)


def _in_place(student, teacher, center, student_temp=0.1, teacher_temp=0.04):
    with torch.no_grad():
        teacher -= center
    return teaching.dino_loss(student, teacher, torch.zeros_like(center), student_temp, teacher_temp)


DINO_LOSS = Exercise(
    name="dino_loss",
    lesson="08a",
    minutes=12,
    difficulty="medium",
    reference=teaching.dino_loss,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-4,
    any_float=True,
    mistakes=[
        Mistake("gradient in the teacher", _made(hold=lambda x: x), "The loss is right, but a gradient flows into the teacher too. Stop it: `teacher.detach()`."),
        Mistake("gradient in the teacher only", _made(hold=lambda x: x, said=lambda student, temp: _said(student.detach(), temp)), "You stopped the gradient on the wrong side: the student is to learn, the teacher is held still."),
        Mistake("no gradient", _made(end=lambda losses: losses.mean().detach()), "The loss is right, but no gradient flows to the student. Only the teacher's part is detached."),
        Mistake("the same view too", _made(off=lambda t, s: True), "You also compare a view with itself. Leave out the pairs with `s == t`: the student is to foretell *another* view."),
        Mistake("the same view only", _made(off=lambda t, s: s == t), "You compare each view with itself. The student's view must be another than the teacher's: `s != t`."),
        Mistake("one way only", _made(off=lambda t, s: s > t), "You take each pair of views one way only. Each view of the teacher's is foretold from every other view: `s != t`."),
        Mistake("the teacher's views only", _made(off=lambda t, s: s != t and s < 2), "You leave views of the student's out. All of its views are asked, also those that the teacher did not see."),
        Mistake("no centre", _made(wanted=lambda teacher, center, temp: _wanted(teacher, 0, temp)), "The centre is missing: take it off the teacher's logits."),
        Mistake("centre added", _made(wanted=lambda teacher, center, temp: _wanted(teacher, -center, temp)), "You add the centre. It is taken off: `teacher - center`."),
        Mistake("centre after the temperature", _made(wanted=lambda teacher, center, temp: (teacher / temp - center).softmax(-1)), "You take the centre off after dividing, so that it hardly counts. First `teacher - center`, then the temperature."),
        Mistake("centre off both", lambda student, teacher, center, *temps, **more: teaching.dino_loss(student - center, teacher, center, *temps, **more), "You centre the student as well. Only the teacher's answer is centred."),
        Mistake("temperatures exchanged", _made(temps=lambda student, teacher: (teacher, student)), "The temperatures are exchanged: the teacher is divided by `teacher_temp`, the student by `student_temp`."),
        Mistake("one temperature", _made(temps=lambda student, teacher: (student, student)), "You divide both by `student_temp`. The teacher has its own, lower one, which makes its answer sharper."),
        Mistake("always 0.04", _made(temps=lambda student, teacher: (student, 0.04)), "`teacher_temp` is an argument: use the one that was given."),
        Mistake("always 0.1", _made(temps=lambda student, teacher: (0.1, teacher)), "`student_temp` is an argument: use the one that was given."),
        Mistake("multiplied", _made(temps=lambda student, teacher: (1 / student, 1 / teacher)), "You multiply by the temperature. Divide: a small temperature makes an answer sharper."),
        Mistake("no temperatures", _made(temps=lambda student, teacher: (1, 1)), "The temperatures are missing: both logits are divided by theirs before the softmax."),
        Mistake("softmax over the pictures", _made(wanted=lambda teacher, center, temp: ((teacher - center) / temp).softmax(1)), "Your teacher's softmax runs over the pictures. Each picture has its own distribution over the K answers: `dim=-1`."),
        Mistake("no logarithm", _made(said=lambda student, temp: (student / temp).softmax(-1)), "The logarithm is missing. Cross-entropy is the sum of wanted probability times `-log` of the said one: `log_softmax`."),
        Mistake("logarithm of the softmax", _made(said=lambda student, temp: (student / temp).softmax(-1).log()), "Right, until an answer is surely wrong: `log` of a probability rounded to 0 is infinite. Take `log_softmax`."),
        Mistake("roles exchanged", _swapped_roles, "You measure how well the teacher foretells the student. The wanted probabilities are the teacher's, the logarithm is the student's."),
        Mistake("mean over the answers", _made(pair=lambda wanted, said: -(wanted * said).mean()), "You take the mean over the K answers as well. Sum over the answers, then the mean over pictures and pairs."),
        Mistake("sum over the pictures", _made(pair=lambda wanted, said: -(wanted * said).sum()), "You add up the pictures, so a larger batch would cost more. Take the mean over them."),
        Mistake("sum over the pairs", _made(end=lambda losses: losses.sum()), "You add up the pairs of views. Take their mean."),
        Mistake("a loss a pair", _made(end=lambda losses: losses), "You return a loss for each pair. Return their mean, one number."),
        Mistake("sign", _made(end=lambda losses: -losses.mean()), "Your loss is below 0, and falls when the student foretells worse. The cross-entropy is *minus* wanted times log."),
        Mistake("divergence", _made(pair=_divergence), "That is the divergence: you take the teacher's entropy off. The gradient is the same, the loss is not; leave the entropy in."),
        Mistake("the likeliest answer only", _made(wanted=_sure), "You keep only the teacher's likeliest answer. It says how likely each of the K answers is: a softmax, not an argmax."),
        Mistake("in place", _in_place, "You wrote into the caller's logits (`-=`). Make a new tensor: `teacher - center`."),
    ],
    hints=[
        "On paper: the teacher says 0.5, 0.25, 0.25, the student 0.25, 0.5, 0.25. The cross-entropy is 0.5 * log 4 + 0.25 * log 2 + 0.25 * log 4.",
        "Both become distributions over the answers; the teacher is held still, centred and sharpened:\n"
        "    wanted = ((teacher.detach() - center) / teacher_temp).softmax(dim=-1)\n"
        "    said = (student / student_temp).log_softmax(dim=-1)",
        "Every view of the teacher's with every *other* view of the student's, then the mean:\n"
        "    losses = [-(wanted[t] * said[s]).sum(dim=-1).mean()\n"
        "              for t in range(len(teacher))\n"
        "              for s in range(len(student)) if s != t]\n"
        "    return torch.stack(losses).mean()",
    ],
    equivalent={
        "losses = [-(wanted[t] * said[s]).sum(dim=-1) for t in range(len(teacher)) for s in range(len(student)) if s != t]": "each pair has as many pictures, so one mean over all is the mean of the means",
        "losses = [-(wanted[t] * said[s]).sum(dim=1).mean() for t in range(len(teacher)) for s in range(len(student)) if s != t]": "of (B, K) the last axis is axis 1",
    },
    note="No label stands in it: what is wanted is what the teacher says of another view.",
)  # fmt: skip
