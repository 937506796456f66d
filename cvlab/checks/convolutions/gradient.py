"""Exercise of lesson 02: the gradient of a convolution, conv1d_grad."""

from typing import NamedTuple

import numpy as np

from cvlab.checks._engine.accept import as_array, as_float, as_parts
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters, gradients

__all__ = ["CONV1D_GRAD"]


class _Gradients(NamedTuple):
    gradient_of_signal: np.ndarray
    gradient_of_kernel: np.ndarray
    gradient_of_bias: float


def _apply(function, signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray):
    found = as_parts(function(signal, kernel, grad), _Gradients, as_array)
    return found._replace(gradient_of_bias=as_float(found[2])) if isinstance(found, _Gradients) else found


def _grad_other(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
    """Two slidings and a sum."""
    return np.convolve(grad, kernel), np.correlate(signal, grad, "valid"), float(grad.sum())


def _grad_cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def line(length: int) -> np.ndarray:
        return rng.integers(-9, 10, length) / 2

    return [
        Case(np.array([1.0, 2, 3]), np.array([10.0, 20]), np.array([1.0, 0])),
        Case(np.array([1.0, 2, 0, 3]), np.array([1.0, 2, 4]), np.array([1.0, -1])),
        Case(line(7), line(3), line(5)),
        Case(line(6), line(1), line(6)),
        Case(line(4), line(4), np.array([2.5])),
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


def _window_starts(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> np.ndarray:
    return np.full(len(kernel), grad @ signal[: len(grad)])


def _exchanged(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
    d_signal, d_kernel = np.zeros(len(signal)), np.zeros(len(kernel))
    for i, g in enumerate(grad):
        d_signal[i : i + len(kernel)] += g * signal[i : i + len(kernel)]
        d_kernel += g * kernel
    return d_signal, d_kernel, float(grad.sum())


def _without_last(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
    shorter = np.append(grad[:-1], 0)
    return *gradients.conv1d_grad(signal, kernel, shorter)[:2], float(grad.sum())


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
    apply=_apply,
    tolerance=1e-5,
    any_float=True,
    equivalent={
        "return (d_signal, d_kernel, np.sum(grad))": "NumPy's float is a float",
        "d_kernel += g * signal[window] before d_signal[window] += g * kernel": "neither reads what the other writes",
    },
    to_image=lambda gradients: gradients[0][None],
    mistakes=[
        Mistake(
            "kernel's gradient not summed over positions",
            _changed(d_kernel=_last_place),
            "dL/dkernel holds only the last window's share. The kernel is used at every place: add them all, "
            "`+=`.",
        ),
        Mistake(
            "input's gradient overwritten",
            _changed(d_signal=_overwritten),
            "A cell that several windows read gets only the last one's share in dL/dsignal. Add: `+=`, not `=`.",
        ),
        Mistake(
            "both overwritten",
            _changed(d_signal=_overwritten, d_kernel=_last_place),
            "Both gradients keep only the last window's share. Add over all places: `+=` instead of `=`.",
        ),
        Mistake(
            "kernel flipped",
            _changed(d_signal=lambda x, w, g: np.convolve(g, w[::-1])),
            "dL/dsignal slides the kernel the wrong way round. Output i has read `signal[i + k]` with "
            "`kernel[k]`: give it back the same way.",
        ),
        Mistake(
            "kernel's gradient reversed",
            _changed(d_kernel=lambda x, w, g: filters.correlate1d(x, g)[::-1].copy()),
            "dL/dkernel is in reverse order: `kernel[k]` met `signal[i + k]`.",
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
            "bias averaged",
            _changed(d_bias=lambda x, w, g: float(g.mean())),
            "dL/dbias is a mean. The bias is in every output, so their blame adds up: the sum of grad.",
        ),
        Mistake(
            "all averaged",
            lambda signal, kernel, grad: tuple(
                g / len(grad) for g in gradients.conv1d_grad(signal, kernel, grad)
            ),
            "All three are means over the places. The chain rule adds: leave the division out.",
        ),
        Mistake(
            "last place left out",
            _without_last,
            "The last output sends no blame back: your loop stops one too early. Go over all of grad.",
        ),
        Mistake(
            "each kernel number meets the first cell",
            _changed(d_kernel=_window_starts),
            "dL/dkernel meets only the first cell of each window. `kernel[k]` met `signal[i + k]`.",
        ),
        Mistake(
            "signal and kernel exchanged in the loop",
            _exchanged,
            "Each gradient got the other's factor. y is signal times kernel: dL/dsignal collects kernel, dL/dkernel signal.",
        ),
        Mistake(
            "signal convolved",
            _changed(d_kernel=lambda x, w, g: np.convolve(x, g, "valid")),
            "dL/dkernel slides grad the wrong way round: `np.convolve` turns it. Use `np.correlate(signal, "
            "grad, 'valid')`.",
        ),
        Mistake(
            "input's gradient cut to the same length",
            _changed(d_signal=lambda x, w, g: np.convolve(g, w, "same")),
            "dL/dsignal is as long as grad or kernel (`mode='same'`). Every input cell gets blame: use "
            "`mode='full'`.",
        ),
        Mistake(
            "mean over positions",
            _changed(d_kernel=lambda x, w, g: filters.correlate1d(x, g) / len(g)),
            "dL/dkernel is a mean over the places. The chain rule adds.",
        ),
        Mistake(
            "grad ignored",
            lambda signal, kernel, grad: gradients.conv1d_grad(signal, kernel, np.ones_like(grad)),
            "grad changes nothing in your answer: you differentiated the sum of the outputs. Weight each by "
            "`grad[i]`.",
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
        "Output i is `signal[i] * kernel[0] + signal[i + 1] * kernel[1] + ...` How does it change when "
        "`kernel[0]` does?",
        "Loop over the outputs. `grad[i]` goes back to every cell of its window, times `kernel`; and to "
        "`kernel`, times the window.",
        "The bias collects the sum of all; for each output i:\n"
        "    d_signal[i : i + K] += grad[i] * kernel\n"
        "    d_kernel += grad[i] * signal[i : i + K]",
    ],
    note="The kernel's gradient is a correlation of the input with `grad`: the backward pass is made of "
    "convolutions too.",
    shorter='np.convolve(grad, kernel), np.correlate(signal, grad, "valid"), float(grad.sum())',
)
