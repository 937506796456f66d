"""The exercise of lesson 04 that makes two pictures one, and gives it the label it deserves."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from cvlab.checks._engine.accept import as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.transfer_learning import mixing

__all__ = ["MIXUP"]


class _Mixed(NamedTuple):
    mixed_pictures: torch.Tensor
    targets: torch.Tensor


def _apply(function, images, labels, lam, order, classes):
    return as_parts(function(images, labels, lam, order, classes), _Mixed)


def _case(images, labels, lam, order, classes) -> Case:
    """Return a case with pictures (B, 1, H, W), written so that a learner can type it."""
    images = torch.tensor(images)[:, None]
    text = f"mixup(images, torch.tensor({labels}), {lam}, torch.tensor({order}), {classes})"
    kind = "" if images.is_floating_point() else ", dtype=torch.uint8"
    if images.numel() <= 4:
        pixels = images.flatten().tolist()
        text = text.replace("images", f"torch.tensor({pixels}{kind}).reshape{tuple(images.shape)}")
    if kind:
        images = images.to(torch.uint8)
    labels, order = torch.tensor(labels), torch.tensor(order)
    return Case(images=images, labels=labels, lam=lam, order=order, classes=classes).shown_as(text)


def _cases() -> list[Case]:
    dice = torch.Generator().manual_seed(0)
    some = (torch.randint(0, 33, (4, 3, 2), generator=dice) / 32).tolist()
    more = torch.randint(0, 256, (5, 2, 3), generator=dice).tolist()
    return [
        _case([[[0.0]], [[1.0]]], [0, 1], 0.75, [1, 0], 2),
        _case([[[0.0]], [[0.5]], [[1.0]]], [2, 0, 1], 0.25, [2, 0, 1], 4),
        _case([[[10]], [[200]], [[90]]], [1, 1, 0], 0.5, [1, 2, 0], 3),
        _case(some, [3, 0, 3, 1], 0.625, [2, 0, 3, 1], 5),
        _case(more, [0, 2, 4, 1, 2], 0.375, [3, 4, 1, 0, 2], 6),
    ]


def _other(images, labels, lam, order, classes):
    """Walk from the other picture to this one with lerp."""
    one_hot = F.one_hot(labels, classes).float()
    return torch.lerp(images[order].float(), images.float(), lam), torch.lerp(one_hot[order], one_hot, lam)


def _pictures(x, lam, order):
    return lam * x + (1 - lam) * x[order]


def _targets(y, lam, order, classes):
    return _pictures(torch.eye(classes)[y], lam, order)


def _slip(pictures=None, targets=None):
    """Return mixup with other pictures, `pictures(x, lam, order)`, or other targets, `targets(y, lam, order, classes)`."""

    def mixup(images, labels, lam, order, classes):
        mixed = (pictures or _pictures)(images, lam, order)
        return mixed, (targets or _targets)(labels, lam, order, classes)

    return mixup


def _other_order(change):
    """Return mixup with `change(order)` in place of `order`, everywhere."""
    return lambda x, y, lam, order, k: mixing.mixup(x, y, lam, change(order), k)


def _in_place(images, labels, lam, order, classes):
    partner = images[order]
    images *= lam
    images += (1 - lam) * partner
    return images, _targets(labels, lam, order, classes)


def _bytes_at_the_end(x, lam, order):
    return _pictures(x, lam, order).to(x.dtype)


def _greater(y, lam, order, classes):
    return torch.eye(classes)[y if lam >= 0.5 else y[order]]


def _both(y, lam, order, classes):
    return torch.maximum(torch.eye(classes)[y], torch.eye(classes)[y][order])


def _numbers(y, lam, order, classes):
    return lam * y + (1 - lam) * y[order]


def _one_hot_of_numbers(y, lam, order, classes):
    return torch.eye(classes)[_numbers(y, lam, order, classes).round().long()]


MIXUP = Exercise(
    name="mixup",
    lesson="04",
    minutes=5,
    difficulty="easy",
    reference=mixing.mixup,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake("labels not mixed", _slip(targets=lambda y, lam, o, k: torch.eye(k)[y]), "The pictures are mixed, but the targets name only the first one. They need the same shares: `lam` of the one, `1 - lam` of the other."),
        Mistake("labels of the partner", _slip(targets=lambda y, lam, o, k: torch.eye(k)[y[o]]), "The targets name only the partner. They need the same shares as the pictures: `lam` of the one, `1 - lam` of the other."),
        Mistake("pictures not mixed", _slip(pictures=lambda x, lam, o: x * 1.0), "The targets are mixed, but the pictures are as they came. Mix them in the same shares: `lam * images + (1 - lam) * images[order]`."),
        Mistake("nothing mixed", _slip(lambda x, lam, o: x * 1.0, lambda y, lam, o, k: torch.eye(k)[y]), "Each picture is mixed with itself, so nothing changes. The partner of picture i is `images[order[i]]`, all at once: `images[order]`."),
        Mistake("shares swapped", _slip(lambda x, lam, o: _pictures(x, 1 - lam, o), lambda y, lam, o, k: _targets(y, 1 - lam, o, k)), "The shares are swapped: `lam` belongs to picture i, `1 - lam` to its partner `order[i]`."),
        Mistake("shares swapped in the targets", _slip(targets=lambda y, lam, o, k: _targets(y, 1 - lam, o, k)), "Right pictures, but in the targets the shares are swapped: what is most of the picture must be most of the label."),
        Mistake("shares swapped in the pictures", _slip(pictures=lambda x, lam, o: _pictures(x, 1 - lam, o)), "Right targets, but in the pictures the shares are swapped: `lam` belongs to picture i, `1 - lam` to its partner."),
        Mistake("class numbers averaged", _slip(targets=_numbers), "You averaged class numbers: half a cat and half a horse is not the dog between them. Make the labels one-hot first, (B, classes)."),
        Mistake("class numbers averaged and rounded", _slip(targets=_one_hot_of_numbers), "You averaged class numbers and rounded: half a cat, half a horse became the class between. One-hot first, then mix."),
        Mistake("the greater share wins", _slip(targets=_greater), "Your targets name only the picture with the greater share. The other one is in there too: give it its share."),
        Mistake("both count in full", _slip(targets=_both), "Your targets give both classes a 1. A row of shares adds up to 1: `lam` and `1 - lam`."),
        Mistake("half and half", _slip(lambda x, lam, o: _pictures(x, 0.5, o), lambda y, lam, o, k: _targets(y, 0.5, o, k)), "You mix half and half, whatever is asked for. The share of picture i is `lam`."),
        Mistake("targets half and half", _slip(targets=lambda y, lam, o, k: _targets(y, 0.5, o, k)), "Your targets are half and half, whatever the pictures are. The share of label i is `lam`, as in the pictures."),
        Mistake("the neighbour, not order", _other_order(lambda o: torch.arange(len(o)).roll(-1)), "You mix with the next picture of the batch. The caller says who meets whom: `images[order]`."),
        Mistake("the one before, not order", _other_order(lambda o: torch.arange(len(o)).roll(1)), "You mix with the picture before, as torchvision does. Here the caller says who meets whom: `images[order]`."),
        Mistake("turned round, not order", _other_order(lambda o: torch.arange(len(o)).flip(0)), "You mix with the batch turned round. The caller says who meets whom: `images[order]`."),
        Mistake("order read backwards", _other_order(torch.argsort), "You read `order` backwards: it is picture i that meets `order[i]`, not the other way round. `images[order]` fetches them."),
        Mistake("one partner for all", _slip(lambda x, lam, o: lam * x + (1 - lam) * x[o[0]], lambda y, lam, o, k: lam * torch.eye(k)[y] + (1 - lam) * torch.eye(k)[y][o[0]]), "All pictures got the same partner. Each has its own: `images[order]` fetches all of them at once."),
        Mistake("order for the pictures only", _slip(targets=lambda y, lam, o, k: _targets(y, lam, torch.arange(len(o)).flip(0), k)), "Pictures and labels have different partners. Use `order` for both."),
        Mistake("shares do not add up", _slip(lambda x, lam, o: lam * x + lam * x[o], lambda y, lam, o, k: lam * (torch.eye(k)[y] + torch.eye(k)[y][o])), "Both get the share `lam`, which adds up to 1 only at one half. The partner's share is `1 - lam`."),
        Mistake("partner in full", _slip(lambda x, lam, o: lam * x + x[o], lambda y, lam, o, k: lam * torch.eye(k)[y] + torch.eye(k)[y][o]), "The partner counts in full. Its share is `1 - lam`, so that both add up to 1."),
        Mistake("partner missing", _slip(lambda x, lam, o: lam * x, lambda y, lam, o, k: lam * torch.eye(k)[y]), "Picture i is made darker, but nothing is added to it. Add the partner's share: `(1 - lam) * images[order]`."),
        Mistake("bytes wrap", _slip(pictures=lambda x, lam, o: x[o] + lam * (x - x[o])), "A difference of uint8 pictures wraps round where it should be negative. Multiply each by its share first; that makes floats."),
        Mistake("bytes wrap the other way", _slip(pictures=lambda x, lam, o: x + (1 - lam) * (x[o] - x)), "The difference `images[order] - images` wraps round in uint8 where it should be negative. Multiply first, then add."),
        Mistake("back to bytes", _slip(pictures=_bytes_at_the_end), "You cut the mixed pictures back to uint8 and lost what stands behind the point. Leave them floats."),
        Mistake("divided by 255", _slip(pictures=lambda x, lam, o: _pictures(x, lam, o) / 255), "You divided by 255 as well. Only mix: the caller decides how the pictures are scaled."),
        Mistake("sum of the bytes halved", _slip(pictures=lambda x, lam, o: (x + x[o]) / 2), "The pictures are mixed half and half, and uint8 sums wrap round. Their shares are `lam` and `1 - lam`."),
        Mistake("columns missing", _slip(targets=lambda y, lam, o, k: _targets(y, lam, o, int(y.max()) + 1)), "Your targets have only as many columns as this batch needs. The net answers for all of them: `torch.eye(classes)[labels]`."),
        Mistake("targets cut to whole numbers", _slip(targets=lambda y, lam, o, k: _targets(y, lam, o, k).long()), "Your targets are cut to whole numbers, so every share is lost. Keep them floats."),
        Mistake("classes and batch exchanged", _slip(targets=lambda y, lam, o, k: _targets(y, lam, o, k).T), "Rows and columns of the targets are exchanged: one row a picture, one column a class."),
        Mistake("only the pictures", lambda x, y, lam, o, k: _pictures(x, lam, o), "Only the pictures come back. Return both: `return mixed, targets`."),
        Mistake("results exchanged", lambda x, y, lam, o, k: (_targets(y, lam, o, k), _pictures(x, lam, o)), "The two results changed places: return the pictures, then the targets."),
        Mistake("the paper's code", lambda x, y, lam, o, k: (_pictures(x, lam, o), y, y[o], lam), "That is the form of the paper's code, which mixes two losses. Here mix the labels, and return pictures and targets."),
        Mistake("changes its input", _in_place, "You wrote into the caller's pictures (`*=`, `+=`), and bytes cannot hold the result. Make a new tensor: `lam * images + ...`"),
    ],
    hints=[
        "A label as a row: 0 everywhere, 1 in its own column. Two such rows can be mixed like two pictures.",
        "`torch.eye(classes)[labels]` has one row a picture, and `images[order]` fetches every partner at once.",
        "The same line twice, once for the pictures and once for the rows:\n"
        "    mixed = lam * images + (1 - lam) * images[order]",
    ],
    note="Each row of targets adds up to 1, so it is still a row of probabilities.",
)  # fmt: skip
