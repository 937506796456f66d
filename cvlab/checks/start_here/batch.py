"""Lesson 00's exercise on tensors: to_batch."""

from typing import TYPE_CHECKING

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake

if TYPE_CHECKING:
    import torch

__all__ = ["TO_BATCH"]


def to_batch(images: "list[np.ndarray]") -> "torch.Tensor":
    """Stack grey pictures into the batch that a network wants.

    Args:
        images: N arrays (H, W), uint8, all of the same size.

    Returns:
        (N, 1, H, W) float32 tensor in [0, 1].

    Example:
        >>> to_batch([np.array([[0, 255]], np.uint8)])
        tensor([[[[0., 1.]]]])
    """
    import torch

    batch = torch.from_numpy(np.stack(images))  # (N, H, W) uint8
    return batch.unsqueeze(1).float() / 255  # (N, 1, H, W) float32


def _other(images: "list[np.ndarray]") -> "torch.Tensor":
    """Fill an empty batch."""
    import torch

    height, width = images[0].shape
    batch = torch.zeros(len(images), 1, height, width)
    for index, image in enumerate(images):
        batch[index, 0] = torch.tensor(image / 255)
    return batch


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        Case([np.array([[0, 51, 102]], np.uint8)]),
        Case([np.array([[0, 51, 102]], np.uint8), np.array([[153, 204, 250]], np.uint8)]),
        Case(list(rng.integers(0, 256, (3, 4, 5), dtype=np.uint8))),
        Case(list(rng.integers(0, 200, (4, 3, 3), dtype=np.uint8))),
    ]


def _stack(images: "list[np.ndarray]") -> "torch.Tensor":
    """Return the images as (N, H, W) uint8 tensor."""
    import torch

    return torch.from_numpy(np.stack(images))


TO_BATCH = Exercise(
    name="to_batch",
    lesson="00",
    minutes=4,
    difficulty="medium",
    reference=to_batch,
    other=_other,
    cases=_cases,
    to_image=lambda batch: batch[0, 0],
    equivalent={
        "return batch.unsqueeze(1) / 255": "torch divides whole numbers into float32",
        "return batch.unsqueeze(1).int() / 255": "torch divides whole numbers into float32",
    },
    mistakes=[
        Mistake(
            "not scaled",
            lambda images: _stack(images).unsqueeze(1).float(),
            "The values still go from 0 to 255. Divide by 255 to bring them to [0, 1].",
        ),
        Mistake(
            "no channel axis",
            lambda images: _stack(images).float() / 255,
            "The channel axis is missing: (N, H, W) should be (N, 1, H, W). Add it with `unsqueeze(1)`.",
        ),
        Mistake(
            "channel axis last",
            lambda images: _stack(images).unsqueeze(-1).float() / 255,
            "The channel axis is last, as NumPy pictures have it. torch wants it second: (N, 1, H, W).",
        ),
        Mistake(
            "channel axis first",
            lambda images: _stack(images).unsqueeze(0).float() / 255,
            "The images lie along the channel axis: (1, N, H, W) is one picture of N channels. "
            "Put the new axis at place 1.",
        ),
        Mistake(
            "left as uint8",
            lambda images: _stack(images).unsqueeze(1),
            "The batch is still whole numbers (uint8). Turn it into float32, then divide by 255.",
        ),
        Mistake(
            "channel axis third",
            lambda images: _stack(images).unsqueeze(2).float() / 255,
            "The new axis stands between rows and columns: (N, H, 1, W). Put it at place 1, after N.",
        ),
        Mistake(
            "joined, not stacked",
            lambda images: _stack(images).flatten(0, 1)[:, None].float() / 255,
            "The pictures were joined along their rows, as `torch.cat` does. Stack them along a new axis: "
            "`np.stack`.",
        ),
        Mistake(
            "three channels",
            lambda images: (_stack(images).unsqueeze(1).float() / 255).repeat(1, 3, 1, 1),
            "Each picture has three channels now. A grey picture has one: (N, 1, H, W).",
        ),
        Mistake(
            "float64",
            lambda images: _stack(images).unsqueeze(1).double() / 255,
            "The batch is float64, NumPy's habit. Networks compute in float32: add `.float()`.",
        ),
        Mistake(
            "integer division",
            lambda images: (_stack(images) // 255).unsqueeze(1).float(),
            "Whole-number division made every grey value below 255 zero. Turn to float first, then divide "
            "with `/`.",
        ),
        Mistake(
            "divides by 256",
            lambda images: _stack(images).unsqueeze(1).float() / 256,
            "You divided by 256, so white falls short of 1. The largest uint8 is 255: divide by 255.",
        ),
        Mistake(
            "divides by the batch's maximum",
            lambda images: _stack(images).unsqueeze(1).float() / _stack(images).max(),
            "You divided by the brightest pixel of this batch, so a dark batch becomes bright. "
            "Divide by 255, whatever the pictures hold.",
        ),
        Mistake(
            "divides by each picture's maximum",
            lambda images: (x := _stack(images).unsqueeze(1).float()) / x.amax((1, 2, 3), keepdim=True),
            "You divided each picture by its own brightest pixel, so all become equally bright. "
            "Divide by 255, whatever the pictures hold.",
        ),
        Mistake(
            "stretched from the darkest to the brightest",
            lambda images: ((x := _stack(images).unsqueeze(1).float()) - x.min()) / (x.max() - x.min()),
            "You stretched the values: the darkest pixel of the batch became 0, the brightest 1. Only divide by 255.",
        ),
        Mistake(
            "from -1 to 1",
            lambda images: _stack(images).unsqueeze(1).float() / 127.5 - 1,
            "Your values go from -1 to 1. Here black is 0 and white is 1: divide by 255, and take nothing off.",
        ),
        Mistake(
            "divided twice",
            lambda images: _stack(images).unsqueeze(1).float() / 255**2,
            "You divided by 255 twice, so even white is almost black. Once is enough.",
        ),
        Mistake(
            "stays NumPy",
            lambda images: np.stack(images)[:, None].astype(np.float32) / np.float32(255),
            "The numbers are right, but this is a NumPy array. Turn it into a tensor: `torch.from_numpy(...)`.",
        ),
    ],
    hints=[
        "Three steps: make one array of the list, add the channel axis, turn the numbers into floats in "
        "[0, 1].",
        "`np.stack` makes one array, `torch.from_numpy` a tensor of it, `unsqueeze(1)` adds an axis at "
        "place 1:\n"
        "    batch = torch.from_numpy(np.stack(images)).unsqueeze(1)",
        "The last step; divide after `.float()`, or the whole numbers get in the way:\n"
        "    return batch.float() / 255",
    ],
    note="This shape, (N, C, H, W), is the one that every network in this course takes.",
    shorter="torch.from_numpy(np.stack(images))[:, None] / 255",
)
