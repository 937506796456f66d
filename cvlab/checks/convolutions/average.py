"""Exercise of lesson 02: smoothing a signal, moving_average."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters

__all__ = ["MOVING_AVERAGE"]


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random floats of both signs."""
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _average_other(signal: np.ndarray, width: int) -> np.ndarray:
    """Let NumPy convolve."""
    return np.convolve(signal.astype(float), np.ones(width) / width, mode="full")[
        width // 2 : width // 2 + len(signal)
    ]


def _average_cases() -> list[Case]:
    return [
        Case(np.array([3.0, 6, 9, 6, 3]), 3),
        Case(np.array([1.0, 0, 0, 0, 2]), 5),
        Case(_floats(12), 5),
        Case(_floats(9, seed=1), 1),
        Case(np.full(6, 200, np.uint8), 3),
    ]


def _around(before: int, after: int, mode: str = "constant"):
    """Return a moving average whose window reaches `width // 2 + before` back and `+ after` forward."""

    def average(signal: np.ndarray, width: int) -> np.ndarray:
        half = width // 2
        padded = np.pad(signal.astype(float), (half + before, half + after), mode=mode)
        return np.array([padded[i : i + width].mean() for i in range(len(signal))])

    return average


def _windows(signal: np.ndarray, width: int) -> list[np.ndarray]:
    half = width // 2
    return [signal[max(0, i - half) : i + half + 1] for i in range(len(signal))]


def _wrapped_windows(signal: np.ndarray, width: int) -> list[np.ndarray]:
    """Return windows whose start may be negative, and then counts from the end."""
    half = width // 2
    return [signal[i - half : i + half + 1] for i in range(len(signal))]


def _padded_windows(signal: np.ndarray, pad: int, width: int, count: int) -> np.ndarray:
    """Return the means of the first `count` windows after `pad` zeros at both ends."""
    padded = np.pad(signal.astype(float), pad)
    return np.array([padded[i : i + width].mean() for i in range(count)])


def _read_after_writing(signal: np.ndarray, width: int) -> np.ndarray:
    half = width // 2
    padded = np.pad(signal.astype(float), half)
    for i in range(len(signal)):
        padded[i + half] = padded[i : i + width].mean()
    return padded[half : half + len(signal)]


def _zeros_at_the_ends(signal: np.ndarray, width: int) -> np.ndarray:
    half, result = width // 2, np.zeros(len(signal))
    for i in range(half, len(signal) - half):
        result[i] = signal[i - half : i + half + 1].mean()
    return result


def _one_side(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal.astype(float), (width - 1, 0))
    return np.array([padded[i : i + width].mean() for i in range(len(signal))])


def _short_window(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal.astype(float), width // 2)
    return np.array([padded[i : i + width - 1].sum() / width for i in range(len(signal))])


def _sum_in_uint8(signal: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(signal, width // 2)
    return np.array(
        [padded[i : i + width].sum(dtype=signal.dtype) / width for i in range(len(signal))], float
    )


MOVING_AVERAGE = Exercise(
    name="moving_average",
    lesson="02",
    minutes=6,
    difficulty="easy",
    reference=filters.moving_average,
    other=_average_other,
    cases=_average_cases,
    apply=array_of,
    tolerance=1e-5,
    any_float=True,
    to_image=lambda line: line[None],
    equivalent={"padded = np.pad(signal, width // 2)": "mean() adds whole numbers up as floats"},
    mistakes=[
        Mistake(
            "no padding",
            lambda signal, width: np.convolve(signal.astype(float), np.ones(width) / width, "valid"),
            "The result is shorter than the signal by `width - 1`. Put `width // 2` zeros at each end first.",
        ),
        Mistake(
            "padding on one side",
            _one_side,
            "Your window looks only backwards: all zeros went to the front, so the result lags behind. Put "
            "`width // 2` zeros at each end.",
        ),
        Mistake(
            "looks only forwards",
            lambda signal, width: _one_side(signal[::-1], width)[::-1],
            "Your window looks only forwards: all zeros went to the back. Put `width // 2` zeros at each end.",
        ),
        Mistake(
            "window one too short",
            _short_window,
            "The window holds `width - 1` values: a slice stops before its end. Use `padded[i : i + width]`.",
        ),
        Mistake(
            "window one too short, and divided by less",
            lambda signal, width: _padded_windows(signal, width // 2, width - 1, len(signal)),
            "The window ends one too early: from i to `i + 2 * half` are `width - 1` values. Use `padded[i : "
            "i + width]`.",
        ),
        Mistake(
            "too many zeros",
            lambda signal, width: _padded_windows(signal, width, width, len(signal)),
            "You put width zeros at each end, so the result lags behind. Half a window hangs over: `width // 2`.",
        ),
        Mistake(
            "one zero at each end",
            lambda signal, width: _padded_windows(signal, 1, width, len(signal)),
            "You put one zero at each end, which suits a width of 3 only. Half a window hangs over: `width // 2`.",
        ),
        Mistake(
            "a window for every padded place",
            lambda signal, width: _padded_windows(signal, width // 2, width, len(signal) + 2 * (width // 2)),
            "You started a window at every padded place, so the result is too long. There are `len(signal)` "
            "windows: `range(len(signal))`.",
        ),
        Mistake(
            "full convolution",
            lambda signal, width: np.convolve(signal.astype(float), np.ones(width) / width),
            "`np.convolve` keeps every overlap by default, so the result is longer than the signal. Add "
            "`mode='same'`.",
        ),
        Mistake(
            "negative start",
            lambda signal, width: np.array([w.sum() / width for w in _wrapped_windows(signal, width)]),
            "`signal[i - half : ...]` starts below 0 near the beginning, and a negative start counts from the "
            "end. Pad with zeros first.",
        ),
        Mistake(
            "negative start, mean",
            lambda signal, width: np.array([w.mean() for w in _wrapped_windows(signal, width)]),
            "A negative start counts from the end, so the first windows are empty: their mean is NaN. Pad "
            "with `width // 2` zeros first.",
        ),
        Mistake(
            "reads what it has written",
            _read_after_writing,
            "You write the means into the array that later windows read. Read from one array, write into another.",
        ),
        Mistake(
            "zeros at the ends",
            _zeros_at_the_ends,
            "The values near the ends stayed 0. Put zeros beyond the ends, and average there as everywhere.",
        ),
        Mistake(
            "always three",
            lambda signal, width: filters.moving_average(signal, width) * width / 3,
            "You divide by 3, whatever width is. Divide by width, or let `.mean()` count.",
        ),
        Mistake(
            "median",
            lambda signal, width: np.array(
                [
                    np.median(np.pad(signal.astype(float), width // 2)[i : i + width])
                    for i in range(len(signal))
                ]
            ),
            "You took the middle of the sorted values: that is a median filter. Take their mean.",
        ),
        Mistake(
            "in the signal's dtype",
            lambda signal, width: filters.moving_average(signal, width).astype(signal.dtype),
            "The result took the signal's dtype, as `np.zeros_like` does: whole numbers. "
            "`np.zeros(len(signal))` makes floats.",
        ),
        Mistake(
            "window one too far",
            _around(-1, 1),
            "The window is one step too far to the right. Window i starts at i in the padded signal.",
        ),
        Mistake(
            "divides by what is there",
            lambda signal, width: np.array([w.mean() for w in _windows(signal, width)], float),
            "Near the ends you divide by the number of values that exist. Here zeros count too: divide by width.",
        ),
        Mistake(
            "repeats the last value",
            _around(0, 0, "edge"),
            "Outside the signal you repeat its last value. A fine choice, but this exercise wants zeros there.",
        ),
        Mistake(
            "mirrored ends",
            _around(0, 0, "reflect"),
            "Outside the signal you mirror it. A fine choice, but this exercise wants zeros there.",
        ),
        Mistake(
            "signal goes round",
            _around(0, 0, "wrap"),
            "Beyond one end you go on with the other end, as on a ring. This exercise wants zeros there.",
        ),
        Mistake(
            "sum, not mean",
            lambda signal, width: np.convolve(signal.astype(float), np.ones(width))[width // 2 :][
                : len(signal)
            ],
            "You added, but did not divide by width.",
        ),
        Mistake(
            "uint8 overflow",
            _sum_in_uint8,
            "Three times 200 does not fit into uint8 and wraps around. Make the signal floats before you add.",
        ),
        Mistake(
            "whole numbers",
            lambda signal, width: filters.moving_average(signal, width).astype(int),
            "The means were cut to whole numbers. A mean is a float.",
        ),
        Mistake(
            "ends left as they were",
            lambda signal, width: np.where(
                (np.arange(len(signal)) < width // 2) | (np.arange(len(signal)) >= len(signal) - width // 2),
                signal.astype(float),
                filters.moving_average(signal, width),
            ),
            "You left the values near the ends as they were. They are averaged too, with zeros outside.",
        ),
    ],
    hints=[
        "The first value has no neighbours on its left. What did the text put there?",
        "Pad `width // 2` zeros at both ends; then window i is `padded[i : i + width]`.",
        "Then take the mean of each of the `len(signal)` windows:\n"
        "    padded = np.pad(signal.astype(float), width // 2)",
    ],
    note="The sagging ends are the zeros that were averaged in.",
    shorter='np.convolve(signal.astype(float), np.ones(width) / width, "same")',
)
