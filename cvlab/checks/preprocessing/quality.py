"""Lesson 01's exercise on picture quality: psnr."""

import math

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["PSNR"]


def _mse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean squared difference, computed in floats."""
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def _psnr_other(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    """Take root mean square and 20 log10 of a ratio of values instead of powers."""
    gaps = [float(x) - float(y) for x, y in zip(a.ravel(), b.ravel(), strict=True)]
    rms = math.sqrt(math.fsum(gap * gap for gap in gaps) / len(gaps))
    return 20 * math.log10(peak / rms) if rms else math.inf


def _psnr_cases() -> list[Case]:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    b[..., 0] = a[..., 0] // 2  # channels of unequal quality
    c, d = rng.random((2, 3, 4))
    return [
        Case(np.array([[3]], np.uint8), np.array([[5]], np.uint8)),
        Case(np.array([[3]], np.uint8), np.array([[4]], np.uint8)),
        Case(np.array([[10, 200]], np.uint8), np.array([[40, 190]], np.uint8)),
        Case(np.array([[7, 7]], np.uint8), np.array([[7, 7]], np.uint8)),
        Case(c, d, peak=1.0),
        Case(a, b),
        Case(a, a[:, ::-1].copy(), peak=510),
    ]


def _per_channel(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    if a.ndim == 2:
        return preprocess.psnr(a, b, peak)
    return float(np.mean([preprocess.psnr(a[..., c], b[..., c], peak) for c in range(a.shape[2])]))


def _divides_by_zero(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    return 10 * math.log10(peak**2 / float(_mse(a, b)))


def _log(value: np.ndarray, factor: float = 10) -> float:
    """Return factor * log10(value) without a warning where the value is 0 or infinite."""
    with np.errstate(all="ignore"):
        return float(factor * np.log10(value))


def _psnr_of(error: float, peak: float, power: int = 2) -> float:
    return _log(peak**power / error) if error else math.inf


def _over(peak: float, error: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.float64(peak) / error


PSNR = Exercise(
    name="psnr",
    lesson="01",
    minutes=6,
    difficulty="medium",
    reference=preprocess.psnr,
    other=_psnr_other,
    cases=_psnr_cases,
    equivalent={
        "error = np.mean((b.astype(float) - a.astype(float)) ** 2)": "the square forgets the sign",
        "error = np.mean((a - b.astype(float)) ** 2)": "a float beside it makes NumPy compute in floats",
        "error = np.mean((a.astype(float) - b) ** 2)": "a float beside it makes NumPy compute in floats",
        "return float(10 * np.log10(peak ** 2 / error))": "NumPy divides by 0 and gives infinity, with a warning",
        "return float('inf') if error == -1 else float(10 * np.log10(peak ** 2 / error))": "as if there were no test: "
        "NumPy divides by 0 and gives infinity",
        "return float('inf') if error == 0 else 10 * np.log10(peak ** 2 / error)": "NumPy's float is a float",
    },
    mistakes=[
        Mistake(
            "uint8 overflow",
            lambda a, b, peak=255: _log(_over(peak**2, np.mean((a - b) ** 2))),
            "uint8 has nothing below 0: negative differences wrapped around, and large squares, too. Convert to float "
            "before subtracting.",
        ),
        Mistake(
            "converts after subtracting",
            lambda a, b, peak=255: _log(_over(peak**2, np.mean((a - b).astype(float) ** 2))),
            "uint8 has nothing below 0: negative differences wrapped around. Convert to float before subtracting, not after.",
        ),
        Mistake(
            "whole numbers",
            lambda a, b, peak=255: _psnr_of(np.mean((a.astype(int) - b.astype(int)) ** 2), peak),
            "`astype(int)` makes every pixel of a picture in [0, 1] 0. Convert to float: it holds both kinds.",
        ),
        Mistake(
            "squares too large for int16",
            lambda a, b, peak=255: _psnr_of(np.mean((a.astype(np.int16) - b.astype(np.int16)) ** 2), peak),
            "int16 is too small for the squares of uint8, and as whole numbers pictures in [0, 1] become 0. Convert to float.",
        ),
        Mistake(
            "mean before the square",
            lambda a, b, peak=255: _psnr_of(np.mean(a.astype(float) - b.astype(float)) ** 2, peak),
            "You took the mean first, so too bright and too dark cancel out. Square each difference, then take the mean.",
        ),
        Mistake(
            "differences not squared",
            lambda a, b, peak=255: _log(_over(peak**2, np.mean(np.abs(a.astype(float) - b.astype(float))))),
            "You averaged the differences without squaring them. Square each one, then take the mean.",
        ),
        Mistake(
            "peak not squared",
            lambda a, b, peak=255: _log(_over(peak, _mse(a, b))),
            "The error is squared, so the peak must be squared too: `10 * log10(peak**2 / mse)`.",
        ),
        Mistake(
            "natural logarithm",
            lambda a, b, peak=255: _log(_over(peak**2, _mse(a, b))) * math.log(10),
            "`np.log` is the natural logarithm. Decibels use base 10: `np.log10`.",
        ),
        Mistake(
            "20 instead of 10",
            lambda a, b, peak=255: _log(_over(peak**2, _mse(a, b)), 20),
            "The factor is 10 for squared values; 20 counts the square twice.",
        ),
        Mistake(
            "10 with the root",
            lambda a, b, peak=255: _psnr_of(np.sqrt(_mse(a, b)), peak, power=1),
            "With the root of the error the factor is 20. Or leave the root out: `10 * log10(peak**2 / mse)`.",
        ),
        Mistake(
            "root missing",
            lambda a, b, peak=255: _log(_over(peak, _mse(a, b)), 20),
            "`20 * log10` needs the root of the mean squared error. Take the root, or use `10 * log10(peak**2 "
            "/ mse)`.",
        ),
        Mistake(
            "factor 10 missing",
            lambda a, b, peak=255: _log(_over(peak**2, _mse(a, b)), 1),
            "These are bels. Decibels are ten times as many: multiply by 10.",
        ),
        Mistake(
            "ratio upside down",
            lambda a, b, peak=255: -_psnr_of(_mse(a, b), peak) if _mse(a, b) else math.inf,
            "The ratio is upside down, so better pictures score lower. Divide `peak**2` by the error.",
        ),
        Mistake(
            "mean of the channels' psnr",
            _per_channel,
            "You averaged one PSNR per channel. Average the squared error over all values, then take one logarithm.",
        ),
        Mistake(
            "sum instead of mean",
            lambda a, b, peak=255: _log(_over(peak**2, _mse(a, b) * a.size)),
            "You summed the squared errors, so larger pictures score worse. Take their mean.",
        ),
        Mistake(
            "sum over channels",
            lambda a, b, peak=255: _psnr_of(_mse(a, b) * (a.shape[2] if a.ndim == 3 else 1), peak),
            "You divided by `H * W` only. A colour picture has three times as many values: `np.mean` counts "
            "them all.",
        ),
        Mistake(
            "scaled to [0, 1] first",
            lambda a, b, peak=255: _psnr_of(_mse(a / 255, b / 255), peak),
            "You divided the pictures by 255, but not the peak. Leave them on their own scale.",
        ),
        Mistake(
            "rounded",
            lambda a, b, peak=255: round(preprocess.psnr(a, b, peak), 2),
            "You rounded the result. Return all of its digits: rounding is for print.",
        ),
        Mistake(
            "peak ignored",
            lambda a, b, peak=255: _log(_over(255**2, _mse(a, b))),
            "You always use 255. Use the argument peak: pictures in [0, 1] have peak 1.",
        ),
        Mistake(
            "brightest pixel as peak",
            lambda a, b, peak=255: _log(_over(float(a.max()) ** 2, _mse(a, b))),
            "You used the brightest pixel as the peak. Use the argument peak: the largest value possible.",
        ),
        Mistake(
            "crashes on equal pictures",
            _divides_by_zero,
            "Equal pictures have error 0, and you divide by it. Return `float('inf')` in that case.",
        ),
        Mistake(
            "100 for equal pictures",
            lambda a, b, peak=255: 100.0 if np.array_equal(a, b) else preprocess.psnr(a, b, peak),
            "Equal pictures have no error at all. Return `float('inf')`, not 100.",
        ),
        Mistake(
            "0 for equal pictures",
            lambda a, b, peak=255: 0.0 if np.array_equal(a, b) else preprocess.psnr(a, b, peak),
            "0 dB is terrible, and equal pictures are perfect. Return `float('inf')`.",
        ),
        Mistake(
            "NaN for equal pictures",
            lambda a, b, peak=255: math.nan if np.array_equal(a, b) else preprocess.psnr(a, b, peak),
            "Equal pictures give NaN. Test for error 0 first, and return `float('inf')`.",
        ),
        Mistake(
            "small number added",
            lambda a, b, peak=255: _log(peak**2 / (_mse(a, b) + 1e-10)),
            "A small number added to the error keeps equal pictures finite. Leave it out, and return "
            "`float('inf')`.",
        ),
        Mistake(
            "returns the error",
            lambda a, b, peak=255: float(_mse(a, b)),
            "This is the mean squared error. Turn it into decibels: `10 * log10(peak**2 / mse)`.",
        ),
    ],
    hints=[
        "First one number for how different the pictures are: the mean of the squared differences. What "
        "is `3 - 5` in uint8?",
        "Convert both to float, subtract, square, take the mean:\n"
        "    mse = np.mean((a.astype(float) - b.astype(float)) ** 2)",
        "When `mse` is 0, return `float('inf')` before dividing; else\n"
        "    return float(10 * np.log10(peak**2 / mse))",
    ],
    note="Twice the error costs 6 dB.",
    shorter="skimage.metrics.peak_signal_noise_ratio(a, b, data_range=peak)",
)
