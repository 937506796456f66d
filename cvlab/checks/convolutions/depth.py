"""Exercises of lesson 02 that follow a number through layers: forwards the receptive field, backwards the gradient."""

import math

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters, gradients, receptive

__all__ = ["CONV1D_GRAD", "RECEPTIVE_FIELD"]


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
                step = step + stride - 1 if add_strides else step * stride
        return field

    return receptive_field


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
    mistakes=[
        Mistake(
            "stride ignored",
            _grown(lambda kernel, dilation, step: dilation * (kernel - 1)),
            "Strides change nothing in your answer. After a stride of 2, a step in the next layer is 2 input cells.",
        ),
        Mistake(
            "dilation ignored",
            _grown(lambda kernel, dilation, step: (kernel - 1) * step),
            "dilation changes nothing in your answer. It stretches a kernel's k - 1 gaps.",
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
            "Each layer adds kernel cells in your answer. One of them was there before: it adds kernel - 1.",
        ),
        Mistake(
            "starts at 0",
            _grown(_right, start=0),
            "You start from 0 cells. With no layer at all, a cell sees itself: start from 1.",
        ),
        Mistake(
            "product of kernels",
            lambda layers: math.prod(kernel for kernel, _, _ in layers),
            "You multiplied the kernels. Neighbouring windows overlap, so each layer only adds kernel - 1 steps.",
        ),
        Mistake(
            "strides added",
            _grown(_right, add_strides=True),
            "You added the strides. Two strides of 2 are 4 input cells apart by chance; a 3 and a 2 make 6: multiply.",
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
        "Keep two numbers: the field, and how many input cells one step of the current layer is. Both start at 1.",
        "For each layer: field += dilation * (kernel - 1) * step, and only then step *= stride.",
    ],
    note="Padding does not appear: it moves the field, it does not change its size.",
)


def _grad_other(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
    """Two slidings and a sum."""
    return np.convolve(grad, kernel), np.correlate(signal, grad, "valid"), float(grad.sum())


def _grad_cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def line(length: int) -> np.ndarray:
        return rng.integers(-5, 6, length).astype(float)

    return [
        Case(np.array([1.0, 2, 3]), np.array([10.0, 20]), np.array([1.0, 0])),
        Case(np.array([1.0, 2, 0, 3]), np.array([1.0, 2, 4]), np.array([1.0, -1])),
        Case(line(7), line(3), line(5)),
        Case(line(6), line(1), line(6)),
        Case(line(4), line(4), np.array([2.0])),
    ]


def _changed(d_signal=None, d_kernel=None, d_bias=None):
    """Return a backward pass with some of its three answers changed."""

    def conv1d_grad(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
        right = gradients.conv1d_grad(signal, kernel, grad)
        given = (signal, kernel, grad)
        return tuple(
            r if f is None else f(*given) for r, f in zip(right, (d_signal, d_kernel, d_bias), strict=True)
        )

    return conv1d_grad


def _last_place(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> np.ndarray:
    return grad[-1] * signal[len(grad) - 1 :]


def _overwritten(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> np.ndarray:
    result = np.zeros(len(signal))
    for i, g in enumerate(grad):
        result[i : i + len(kernel)] = g * kernel
    return result


CONV1D_GRAD = Exercise(
    name="conv1d_grad",
    lesson="02",
    minutes=12,
    difficulty="hard",
    reference=gradients.conv1d_grad,
    other=_grad_other,
    cases=_grad_cases,
    to_image=lambda gradients: gradients[0][None],
    mistakes=[
        Mistake(
            "kernel's gradient not summed over positions",
            _changed(d_kernel=_last_place),
            "dL/dkernel holds only the last window's share. The kernel is used at every place: add them all, +=.",
        ),
        Mistake(
            "input's gradient overwritten",
            _changed(d_signal=_overwritten),
            "A cell that several windows read gets only the last one's share in dL/dsignal. Add: +=, not =.",
        ),
        Mistake(
            "both overwritten",
            _changed(d_signal=_overwritten, d_kernel=_last_place),
            "Both gradients keep only the last window's share. Add over all places: += instead of =.",
        ),
        Mistake(
            "kernel flipped",
            _changed(d_signal=lambda x, w, g: np.convolve(g, w[::-1])),
            "dL/dsignal slides the kernel the wrong way round. Output i has read signal[i + k] with kernel[k]: "
            "give it back the same way.",
        ),
        Mistake(
            "kernel's gradient reversed",
            _changed(d_kernel=lambda x, w, g: filters.correlate1d(x, g)[::-1].copy()),
            "dL/dkernel is in reverse order: kernel[k] met signal[i + k].",
        ),
        Mistake(
            "bias not summed",
            _changed(d_bias=lambda x, w, g: g.copy()),
            "dL/dbias is an array. One bias is added at every place, so its gradient is the sum of grad: one float.",
        ),
        Mistake(
            "bias counted, not summed",
            _changed(d_bias=lambda x, w, g: float(len(g))),
            "dL/dbias counts the outputs. Each passes on its own grad: add them up.",
        ),
        Mistake(
            "mean over positions",
            _changed(d_kernel=lambda x, w, g: filters.correlate1d(x, g) / len(g)),
            "dL/dkernel is a mean over the places. The chain rule adds.",
        ),
        Mistake(
            "grad ignored",
            lambda signal, kernel, grad: gradients.conv1d_grad(signal, kernel, np.ones_like(grad)),
            "grad changes nothing in your answer: you differentiated the sum of the outputs. Weight each by grad[i].",
        ),
        Mistake(
            "signal and kernel exchanged",
            lambda signal, kernel, grad: (
                gradients.conv1d_grad(signal, kernel, grad)[1],
                gradients.conv1d_grad(signal, kernel, grad)[0],
                float(grad.sum()),
            ),
            "The first two gradients changed places. Return dL/dsignal, dL/dkernel, dL/dbias.",
        ),
        Mistake(
            "a step of learning",
            lambda signal, kernel, grad: tuple(-g for g in gradients.conv1d_grad(signal, kernel, grad)),
            "All signs are turned round. Return the gradients themselves; the minus belongs to the learning step.",
        ),
    ],
    hints=[
        "Output i is signal[i] kernel[0] + signal[i + 1] kernel[1] + ... How does it change when kernel[0] does?",
        "Loop over the outputs. grad[i] goes back to every cell of its window, times kernel; and to kernel, times the window.",
        "d_signal[i : i + K] += g * kernel, d_kernel += g * signal[i : i + K], and the bias collects sum(grad).",
    ],
    note="dL/dkernel is a correlation of the input with grad: the backward pass is made of convolutions too.",
)
