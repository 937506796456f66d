"""The exercise of lesson 05 on the transposed convolution."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation.transposed import conv_transpose2d

__all__ = ["CONV_TRANSPOSE2D"]


def _other(x: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Loop over the kernel: each of its numbers adds the whole picture, spread out, at its own offset."""
    (_, H, W), (_, C_out, kh, kw) = x.shape, weight.shape
    canvas = np.zeros((C_out, (H - 1) * stride + kh, (W - 1) * stride + kw))
    for i, j in np.ndindex(kh, kw):
        rows, cols = slice(i, i + (H - 1) * stride + 1, stride), slice(j, j + (W - 1) * stride + 1, stride)
        canvas[:, rows, cols] += np.einsum("chw,co->ohw", x, weight[:, :, i, j])
    return canvas[:, padding : canvas.shape[1] - padding, padding : canvas.shape[2] - padding]


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def eighths(*shape: int) -> np.ndarray:  # float32 holds them exactly, and all their sums
        return rng.integers(-16, 17, shape) / 8

    two = np.array([[[1.0, 10.0]]])
    return [
        Case(np.array([[[3.0]]]), np.array([[[[1.0, 2.0], [4.0, 8.0]]]]), 1, 0),
        Case(two, np.array([[[[1.0, 2.0, 3.0]]]]), 1, 0),
        Case(two, np.array([[[[1.0, 2.0, 3.0]]]]), 2, 0),
        Case(two, np.array([[[[1.0], [2.0], [3.0]]]]), 2, 0),
        Case(np.arange(1.0, 5).reshape(1, 2, 2), np.arange(1.0, 10).reshape(1, 1, 3, 3), 2, 1),
        Case(np.array([[[1.0]], [[10.0]]]), np.array([[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]), 1, 0),
        Case(eighths(2, 3, 4), eighths(2, 3, 3, 2), 2, 0),
        Case(eighths(3, 4, 3), eighths(3, 2, 4, 4), 3, 2),
        Case(rng.integers(0, 256, (1, 3, 3), np.uint8), eighths(1, 1, 2, 2), 3, 0),
    ]


def _stamped(place=None, stamp=None, put=np.add, size=None, crop=None):
    """Return a transposed convolution with one of its steps done otherwise."""

    def wrong(x: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
        (_, H, W), (_, C_out, kh, kw) = x.shape, weight.shape
        height, width = (size or (lambda n, k, s: (n - 1) * s + k))(
            np.array([H, W]), np.array([kh, kw]), stride
        )
        canvas = np.zeros((C_out, height, width))
        for row, col in np.ndindex(H, W):
            part = (stamp or _stamp)(x, weight, row, col)
            top, left = (place or (lambda *at: at[:2] * np.array(stride)))(row, col)
            here = canvas[:, top : top + kh, left : left + kw]
            here[:] = put(here, part[:, : here.shape[1], : here.shape[2]])
        return (crop or _cropped)(canvas, padding)

    return wrong


def _stamp(x, weight, row, col):
    return np.tensordot(x[:, row, col], weight, axes=1)


def _cropped(canvas, padding):
    return canvas[:, padding : canvas.shape[1] - padding, padding : canvas.shape[2] - padding]


def _zeros_around(canvas, padding):
    return np.pad(canvas, ((0, 0), (padding, padding), (padding, padding)))


def _input_padded(x, weight, stride=1, padding=0):
    return conv_transpose2d(_zeros_around(x, padding), weight, stride, 0)


def _input_repeated(x, weight, stride=1, padding=0):
    """Enlarge by repeating pixels in place of spreading them out, then stamp."""
    large = x.repeat(stride, axis=1).repeat(stride, axis=2)
    grown = conv_transpose2d(large, weight, 1, 0)
    (_, H, W), (kh, kw) = x.shape, weight.shape[2:]
    return _cropped(grown[:, : (H - 1) * stride + kh, : (W - 1) * stride + kw], padding)


def _shrinks(x, weight, stride=1, padding=0):
    """Convolve in place of transposing it: smaller, not larger."""
    (kh, kw), padded = weight.shape[2:], _zeros_around(x, padding)
    room = [max(0, k - n) for n, k in zip(padded.shape[1:], (kh, kw), strict=True)]
    padded = np.pad(padded, ((0, 0), (0, room[0]), (0, room[1])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,coij->ohw", windows, weight)


def _axes_swapped(x, weight, stride=1, padding=0):
    """Read the kernels as (C_out, C_in, ...), as far as the two shapes allow."""
    C_in, C_out = weight.shape[:2]
    return conv_transpose2d(x, weight.reshape(C_out, C_in, *weight.shape[2:]).swapaxes(0, 1), stride, padding)


def _right(change):
    """Return the right answer from changed arguments."""
    return lambda x, weight, stride=1, padding=0: conv_transpose2d(*change(x, weight, stride, padding))


CONV_TRANSPOSE2D = Exercise(
    name="conv_transpose2d",
    lesson="05",
    minutes=8,
    difficulty="medium",
    reference=conv_transpose2d,
    other=_other,
    cases=_cases,
    apply=array_of,
    any_float=True,
    equivalent={
        "bottom, right = (side - padding for side in canvas.shape[1:]) before for row in range(H):": "the canvas has its size "
        "before anything is stamped"
    },
    mistakes=[
        Mistake(
            "kernel turned",
            _right(lambda x, weight, stride, padding: (x, weight[..., ::-1, ::-1], stride, padding)),
            "The kernel is turned by half a circle. A pixel stamps it as it is: its first number lands first.",
        ),
        Mistake(
            "kernel transposed",
            _right(lambda x, weight, stride, padding: (x, weight.swapaxes(2, 3), stride, padding)),
            "The rows and columns of the kernel changed places. It is the big matrix that is transposed; the kernel "
            "stays as it is.",
        ),
        Mistake(
            "stride ignored",
            _right(lambda x, weight, stride, padding: (x, weight, 1, padding)),
            "The stamps lie next to each other: stride is not used. Pixel (row, col) stamps at `row * stride`, "
            "`col * stride`.",
        ),
        Mistake(
            "canvas right, places without stride",
            _stamped(place=lambda row, col: (row, col)),
            "The canvas has the right size, but every stamp lies at (row, col). Multiply both by stride.",
        ),
        Mistake(
            "padding ignored",
            _right(lambda x, weight, stride, padding: (x, weight, stride, 0)),
            "Padding is not used. Cut off so many rows and columns on each side.",
        ),
        Mistake(
            "padding adds zeros around the result",
            _stamped(crop=_zeros_around),
            "You put zeros around the result. A convolution's padding adds before it reads, so its transpose takes "
            "away after it has written: cut off.",
        ),
        Mistake(
            "padding adds zeros around the input",
            _input_padded,
            "You padded the input, as a convolution does. Here padding is cut off from the result, on each side.",
        ),
        Mistake(
            "padding cut at the start only",
            _stamped(crop=lambda canvas, padding: canvas[:, padding:, padding:]),
            "Padding is cut off at the top and left only. The bottom and right lose as much.",
        ),
        Mistake(
            "padding cut at the end only",
            _stamped(
                crop=lambda canvas, padding: canvas[
                    :, : canvas.shape[1] - padding, : canvas.shape[2] - padding
                ]
            ),
            "Padding is cut off at the bottom and right only. The top and left lose as much.",
        ),
        Mistake(
            "rows cropped only",
            _stamped(crop=lambda canvas, padding: canvas[:, padding : canvas.shape[1] - padding]),
            "The rows lost their padding, the columns did not. Cut both axes.",
        ),
        Mistake(
            "slice to minus padding",
            _stamped(crop=lambda canvas, padding: canvas[:, padding:-padding, padding:-padding]),
            "The slice `padding:-padding` is empty when padding is 0. End it at `side - padding`.",
        ),
        Mistake(
            "overwrites",
            _stamped(put=lambda here, part: part),
            "Where stamps overlap, the last one wins. Add them: `+=`.",
        ),
        Mistake(
            "largest wins",
            _stamped(put=np.maximum),
            "Where stamps overlap you kept the larger number. Add them: `+=`.",
        ),
        Mistake(
            "channels of the kernel swapped",
            _axes_swapped,
            "You read weight as (C_out, C_in, ...), the order of a convolution. Here the input's channels come "
            "first: `weight[c_in, c_out]`.",
        ),
        Mistake(
            "first channel only",
            _stamped(stamp=lambda x, weight, row, col: x[0, row, col] * weight[0]),
            "Only the first input channel stamps. Add those of all: each has its own kernels, `weight[c]`.",
        ),
        Mistake(
            "first kernels for all channels",
            _stamped(stamp=lambda x, weight, row, col: x[:, row, col].sum() * weight[0]),
            "Every input channel stamps with the kernels of the first. Channel c stamps with `weight[c]`.",
        ),
        Mistake(
            "one output channel",
            lambda x, weight, stride=1, padding=0: conv_transpose2d(x, weight, stride, padding).sum(
                axis=0, keepdims=True
            ),
            "The output channels are added up to one. Keep C_out of them.",
        ),
        Mistake(
            "mean over channels",
            lambda x, weight, stride=1, padding=0: conv_transpose2d(x, weight, stride, padding) / len(x),
            "You took the mean over the input channels. Add them.",
        ),
        Mistake(
            "pixels repeated",
            _input_repeated,
            "You enlarged the picture first, so every pixel stamps several times. It stamps once, `stride` cells "
            "from its neighbour.",
        ),
        Mistake(
            "size times stride",
            _stamped(size=lambda n, k, s: n * s),
            "The result is input times stride in size, so a stamp at the edge is cut, or cells stay empty. It takes "
            "`(H - 1) * stride + kh` rows before the cut.",
        ),
        Mistake(
            "one stride too large",
            _stamped(size=lambda n, k, s: n * s + k),
            "The result is a stride too large. From the first to the last of H stamps there are `H - 1` steps.",
        ),
        Mistake(
            "kernel's size forgotten",
            _stamped(size=lambda n, k, s: (n - 1) * s + 1),
            "The last stamps hang over the edge. Beyond `(H - 1) * stride` there must be room for a whole kernel: `+ kh`.",
        ),
        Mistake(
            "kernel taken as square",
            _stamped(size=lambda n, k, s: (n - 1) * s + k[0]),
            "You count columns with the kernel's height. Rows take `kh`, columns `kw`.",
        ),
        Mistake(
            "the convolution itself",
            _shrinks,
            "This is the convolution, which reads patches and shrinks. Its transpose writes: each input pixel adds its "
            "value times the kernel.",
        ),
        Mistake(
            "mean of the overlaps",
            lambda x, weight, stride=1, padding=0: (
                conv_transpose2d(x, weight, stride, padding)
                / np.maximum(
                    1, conv_transpose2d(np.ones_like(x[:1]), np.ones_like(weight[:1, :1]), stride, padding)
                )
            ),
            "You divide by how many stamps overlap. The stamps are added, uneven as that may be.",
        ),
    ],
    hints=[
        "Begin with an empty canvas, `np.zeros`, that has room for every stamp, and go over the input pixels.",
        "The canvas, and where pixel (row, col) stamps:\n"
        "    canvas = np.zeros((C_out, (H - 1) * stride + kh, (W - 1) * stride + kw))\n"
        "    top, left = row * stride, col * stride",
        "All input channels of one pixel in one stamp, and the cut at the end:\n"
        "    stamp = np.tensordot(x[:, row, col], weight, axes=1)  # (C_out, kh, kw)\n"
        "    bottom, right = (side - padding for side in canvas.shape[1:])",
    ],
    note="Each input pixel is read once and written `kh * kw` times: a convolution reads each `kh * kw` times and "
    "writes once.",
)
