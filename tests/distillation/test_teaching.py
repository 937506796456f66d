"""DINO's loss, its moving average, its steps: equal to other ways of writing them, and clear about bad input."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvlab.distillation.teaching import Projector, dino_loss, ema_update, entropy, teach, teach_step


def logits(views=2, pictures=3, answers=5, seed=0):
    return torch.randn(views, pictures, answers, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("views", "teachers"), [(2, 2), (2, 1), (6, 2), (3, 3)])
def test_the_loss_is_the_mean_of_pytorchs_over_pairs_of_different_views(views, teachers):
    student, teacher, center = logits(views), logits(teachers, seed=1), torch.randn(5)
    wanted = ((teacher - center) / 0.07).softmax(-1)
    pairs = [
        F.cross_entropy(student[s] / 0.3, wanted[t]) for t in range(teachers) for s in range(views) if s != t
    ]
    ours = dino_loss(student, teacher, center, student_temp=0.3, teacher_temp=0.07)
    assert torch.allclose(ours, sum(pairs) / len(pairs), rtol=1e-5)


def test_the_gradient_flows_into_the_student_only():
    student, teacher = logits().requires_grad_(), logits(seed=1).requires_grad_()
    dino_loss(student, teacher, torch.zeros(5)).backward()
    assert student.grad.abs().min() > 0
    assert teacher.grad is None


def test_a_shift_of_the_teacher_is_what_the_centre_takes_off():
    student, teacher, shift = logits(), logits(seed=1), 5 * torch.arange(5.0)
    plain = dino_loss(student, teacher, torch.zeros(5))
    assert torch.allclose(dino_loss(student, teacher + shift, shift), plain, rtol=1e-4)
    assert not torch.allclose(dino_loss(student, teacher + shift, torch.zeros(5)), plain, rtol=0.01)


def test_surest_answers_stay_finite():
    student = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]], requires_grad=True)
    loss = dino_loss(student, student.detach(), torch.zeros(2))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"student": logits(1), "teacher": logits(1)}, ValueError, "at least two views; got 1.*Crop each picture twice"),
        ({"student": logits()[0]}, ValueError, r"student must have shape \(V, B, K\).*got \(3, 5\).*student\[None\]"),
        ({"student": [logits()[0]] * 2}, TypeError, r"student must be a torch tensor; got list.*torch.stack\(student\)"),
        ({"teacher": logits(3)}, ValueError, r"no more views; got teacher \(3, 3, 5\).*wrong order\?"),
        ({"teacher": logits(2, 4)}, ValueError, r"teacher must have the student's pictures.*\(2, 4, 5\).*\(2, 3, 5\)"),
        ({"center": torch.zeros(4)}, ValueError, r"center must have one number an answer, shape \(5,\); got \(4,\)"),
        ({"center": torch.zeros(3, 5)}, ValueError, r"answers.mean\(\(0, 1\)\)"),
        ({"student": logits() * torch.nan}, ValueError, "student must be finite; got 30 of 30.*Lower the rate"),
        ({"teacher": logits() / 0}, ValueError, "teacher must be finite"),
        ({"teacher_temp": 0}, ValueError, "teacher_temp must be a number above 0; got 0.*0.01"),
        ({"student_temp": -0.1}, ValueError, "student_temp must be a number above 0; got -0.1"),
        ({"student_temp": math.nan}, ValueError, "student_temp must be a number above 0; got nan"),
        ({"teacher_temp": "0.04"}, ValueError, "teacher_temp must be a number above 0; got '0.04'"),
    ],
)  # fmt: skip
def test_bad_input_of_the_loss_is_told(change, error, words):
    with pytest.raises(error, match=words):
        dino_loss(**{"student": logits(), "teacher": logits(seed=1), "center": torch.zeros(5)} | change)


def two_nets():
    torch.manual_seed(0)
    return tuple(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)) for _ in range(2))


@pytest.mark.parametrize("momentum", [0, 0.25, 0.996, 1])
def test_the_average_is_pytorchs(momentum):
    teacher, student = two_nets()
    theirs = torch.optim.swa_utils.AveragedModel(
        teacher, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(momentum)
    )
    theirs.n_averaged += 1  # else the first update copies
    theirs.update_parameters(student)
    before = nn.utils.parameters_to_vector(student.parameters())
    ema_update(teacher, student, momentum)
    ours = nn.utils.parameters_to_vector(teacher.parameters())
    assert torch.allclose(ours, nn.utils.parameters_to_vector(theirs.parameters()), atol=1e-6)
    assert torch.equal(before, nn.utils.parameters_to_vector(student.parameters()))


def test_a_student_that_is_its_own_teacher_stays():
    net, _ = two_nets()
    before = nn.utils.parameters_to_vector(net.parameters()).clone()
    ema_update(net, net, 0.9)
    assert torch.allclose(nn.utils.parameters_to_vector(net.parameters()), before, atol=1e-6)


@pytest.mark.parametrize(
    ("momentum", "words"),
    [
        (1.5, "momentum must lie in 0 to 1; got 1.5.*momentum=0.015"),
        (99, "got 99. In percent.*momentum=0.99"),
        (-0.1, "got -0.1$"),
        (math.nan, "got nan$"),
        ("0.9", "got '0.9'"),
    ],
)
def test_a_momentum_outside_is_told(momentum, words):
    with pytest.raises(ValueError, match=words):
        ema_update(*two_nets(), momentum)


def test_two_architectures_are_told():
    with pytest.raises(
        ValueError, match=r"one architecture; got weights 0 are \(4, 3\) and \(4, 5\).*deepcopy"
    ):
        ema_update(nn.Linear(3, 4), nn.Linear(5, 4), 0.9)
    with pytest.raises(ValueError, match="one architecture; got 4 and 2 weights"):
        ema_update(two_nets()[0], nn.Sequential(nn.Linear(3, 4)), 0.9)


def test_entropy_of_even_and_of_sure_answers():
    assert entropy(torch.zeros(2, 3, 8)).item() == pytest.approx(math.log(8))
    assert entropy(1000 * torch.eye(8)).item() == 0


def small():
    torch.manual_seed(0)
    return Projector(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 8)), 8, 16)


def test_a_step_teaches_the_student_and_the_teacher_follows():
    student = small()
    teacher = copy.deepcopy(student).requires_grad_(False)
    start = nn.utils.parameters_to_vector(student.parameters()).detach()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    loss, answers = teach_step(student, teacher, torch.randn(2, 5, 3, 4, 4), torch.zeros(16), optimizer, 0.9)
    moved, followed = (
        (nn.utils.parameters_to_vector(net.parameters()).detach() - start) for net in (student, teacher)
    )
    assert moved.norm() > 0
    assert torch.allclose(followed, 0.1 * moved, atol=1e-6)
    assert (answers.shape, answers.requires_grad, math.isfinite(loss)) == ((2, 5, 16), False, True)


def test_a_training_is_watched_step_by_step_and_returns_the_teacher():
    seen, student = [], small()
    maps = torch.randn(2, 10, 3, 6, 6)
    teacher = teach(student, *maps, 4, batch=5, size=4, watch=lambda step, now: seen.append((step, now)))
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    assert all(now["teacher"] is teacher and 0 <= now["entropy"] <= math.log(16) + 1e-5 for _, now in seen)
    assert not any(part.requires_grad for part in teacher.parameters())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"second": torch.zeros(9, 3, 6, 6)}, r"same shape; got \(10, 3, 6, 6\) and \(9, 3, 6, 6\)"),
        ({"momentum": 2}, "momentum must lie in 0 to 1; got 2"),
        ({"teacher_temp": 0}, "teacher_temp must be a number above 0"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
    ],
)
def test_bad_input_of_a_training_is_told(more, words):
    call = {"first": torch.zeros(10, 3, 6, 6), "second": torch.zeros(10, 3, 6, 6), "steps": 1} | more
    with pytest.raises(ValueError, match=words):
        teach(small(), **call)
