"""Exercise of lesson 02: how far a cell sees, receptive_field."""

import math

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import receptive

__all__ = ["RECEPTIVE_FIELD"]


def _field_other(layers) -> int:
    """Walk from the output back to the input."""
    field = 1
    for kernel, stride, dilation in reversed(layers):
        field = (field - 1) * stride + dilation * (kernel - 1) + 1
    return field


def _field_cases() -> list[Case]:
    return [
        Case([]),
        Case([(3, 1, 1)]),
        Case([(3, 1, 1), (3, 1, 1)]),
        Case([(3, 1, 2), (2, 1, 1)]),
        Case([(3, 2, 1), (3, 1, 1)]),
        Case([(7, 2, 1), (3, 2, 1), (3, 1, 4), (1, 1, 1)]),
        Case([(5, 3, 2), (2, 2, 3), (4, 2, 1), (3, 1, 2)]),
    ]


def _grown(grow, *, start: int = 1, stride_first=False, add_strides=False, backwards=False):
    """Return a receptive field that grows by `grow(kernel, dilation, step)` a layer."""

    def receptive_field(layers) -> int:
        field, step = start, 1
        for kernel, stride, dilation in reversed(layers) if backwards else layers:
            if stride_first:
                step *= stride
            field += grow(kernel, dilation, step)
            if not stride_first:
                step = step + stride if add_strides else step * stride
        return field

    return receptive_field


def _last_stride(layers) -> int:
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, stride
    return field


def _dilated_step(layers) -> int:
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field, step = field + dilation * (kernel - 1) * step, step * stride * dilation
    return field


def _right(kernel: int, dilation: int, step: int) -> int:
    return dilation * (kernel - 1) * step


RECEPTIVE_FIELD = Exercise(
    name="receptive_field",
    lesson="02",
    minutes=8,
    difficulty="medium",
    reference=receptive.receptive_field,
    other=_field_other,
    cases=_field_cases,
    equivalent={"step, field = (1, 1)": "both begin at 1"},
    mistakes=[
        Mistake(
            "stride ignored",
            _grown(lambda kernel, dilation, step: dilation * (kernel - 1)),
            "Strides change nothing in your answer. After a stride of 2, a step in the next layer is 2 input cells.",
        ),
        Mistake(
            "only the stride before",
            _last_stride,
            "You keep only the stride of the layer just below. Strides multiply: `step *= stride`.",
        ),
        Mistake(
            "own stride instead of those below",
            lambda layers: 1 + sum((kernel - 1) * dilation * stride for kernel, stride, dilation in layers),
            "You multiply each layer by its own stride. What counts is the product of the strides below it.",
        ),
        Mistake(
            "dilation widens the step",
            _dilated_step,
            "You multiplied the step by dilation too. It spreads a kernel's numbers; its windows still move by stride.",
        ),
        Mistake(
            "stride and dilation exchanged",
            lambda layers: receptive.receptive_field([(kernel, d, s) for kernel, s, d in layers]),
            "You unpacked the layers in another order. They come as (kernel, stride, dilation).",
        ),
        Mistake(
            "the whole reach",
            _grown(lambda kernel, dilation, step: (dilation * (kernel - 1) + 1) * step),
            "Each layer adds its whole reach in your answer. One cell was there before: it adds `dilation * "
            "(kernel - 1)`.",
        ),
        Mistake(
            "sum of kernels",
            lambda layers: sum(kernel for kernel, _, _ in layers),
            "You added the kernels. Windows overlap: each layer adds `dilation * (kernel - 1)` steps, and you "
            "start from 1.",
        ),
        Mistake(
            "dilation ignored",
            _grown(lambda kernel, dilation, step: (kernel - 1) * step),
            "dilation changes nothing in your answer. It stretches a kernel's `k - 1` gaps.",
        ),
        Mistake(
            "a layer's own stride",
            _grown(_right, stride_first=True),
            "A layer's own stride does not widen its own view, only the view of the layers above. "
            "Update the step after the field.",
        ),
        Mistake(
            "kernel, not kernel - 1",
            _grown(lambda kernel, dilation, step: dilation * kernel * step),
            "Each layer adds kernel cells in your answer. One of them was there before: it adds `kernel - 1`.",
        ),
        Mistake(
            "starts at 0",
            _grown(_right, start=0),
            "You start from 0 cells. With no layer at all, a cell sees itself: start from 1.",
        ),
        Mistake(
            "product of kernels",
            lambda layers: math.prod(kernel for kernel, _, _ in layers),
            "You multiplied the kernels. Neighbouring windows overlap, so each layer only adds `kernel - 1` "
            "steps.",
        ),
        Mistake(
            "strides added",
            _grown(_right, add_strides=True),
            "You added the strides. Each multiplies the distance between neighbours: `step *= stride`.",
        ),
        Mistake(
            "last layer first",
            _grown(_right, backwards=True),
            "You walked from the last layer to the first, but strides count for the layers above them. "
            "Start at the input.",
        ),
        Mistake(
            "only the last layer",
            lambda layers: layers[-1][2] * (layers[-1][0] - 1) + 1 if layers else 1,
            "That is what the last layer sees of its own input. Carry on down to the picture.",
        ),
        Mistake(
            "largest kernel",
            lambda layers: max((d * (k - 1) + 1 for k, _, d in layers), default=1),
            "You took the widest layer. Layers see through each other: their reaches add up.",
        ),
        Mistake(
            "area",
            lambda layers: receptive.receptive_field(layers) ** 2,
            "You squared it. The question is its side, along one axis.",
        ),
    ],
    hints=[
        "No layers: 1 cell. A kernel of 3 adds one cell on either side. What does a second kernel of 3 add?",
        "Keep two numbers: the field, and how many input cells one step of the current layer is. Both "
        "start at 1:\n"
        "    field, step = 1, 1",
        "For each layer, in this order:\n    field += dilation * (kernel - 1) * step\n    step *= stride",
    ],
    note="Padding does not appear: it moves the field, it does not change its size.",
)
