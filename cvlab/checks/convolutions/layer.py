"""Lesson 02: a layer of many kernels over many channels."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import filters, layers

__all__ = ["CONV_LAYER"]


def _layer_other(picture: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(picture, weight.shape[2:], axis=(1, 2))
    return np.einsum("chwij,kcij->khw", windows, weight) + np.asarray(bias)[:, None, None]


def _layer_cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def eighths(*shape: int) -> np.ndarray:  # numbers that float32 holds exactly, and all their sums
        return rng.integers(-16, 17, shape) / 8

    channels = np.array([[[3.0]], [[5.0]]])  # two channels of one pixel
    return [
        Case(channels, np.array([2.0, -1]).reshape(1, 2, 1, 1), np.array([0.0])),
        Case(channels, np.array([2.0, -1]).reshape(1, 2, 1, 1), np.array([4.0])),
        Case(channels, np.array([2.0, -1, 1, 1]).reshape(2, 2, 1, 1), np.array([4.0, -3.0])),
        Case(np.arange(12.0).reshape(1, 3, 4), np.array([1.0, 2, 3, 4]).reshape(1, 1, 2, 2), np.array([1.0])),
        Case(np.arange(9.0).reshape(1, 3, 3), eighths(2, 1, 2, 2), np.array([1.0, -2])),
        Case(*(eighths(*shape) for shape in [(3, 5, 7), (2, 3, 3, 2), (2,)])),
        Case(rng.integers(0, 256, (3, 4, 4), np.uint8), eighths(3, 3, 3, 3), eighths(3)),
    ]


def _made_of(part):
    """Return a layer whose map of one kernel is `part(picture, kernel, bias)`."""

    def layer(picture, weight, bias):
        return np.stack([part(picture, kernel, start) for kernel, start in zip(weight, bias, strict=True)])

    return layer


def _answers(picture, kernel) -> list[np.ndarray]:
    return [filters.correlate2d(channel, plane) for channel, plane in zip(picture, kernel, strict=True)]


def _flat_kernels(picture, weight, bias):
    maps = [sum(_answers(picture, [kernel[0]] * len(picture))) for kernel in weight]
    return np.stack(maps) + np.reshape(bias, (-1, 1, 1))


def _bias_last_axis(picture, weight, bias):
    maps = layers.conv_layer(picture, weight, np.zeros(len(weight)))
    return maps + np.resize(bias, maps.shape[2])


def _all_biases(picture, weight, bias):
    maps = layers.conv_layer(picture, weight, np.zeros(len(weight)))
    return np.stack([one + bias for one in maps])


def _never_reset(picture, weight, bias):
    maps = layers.conv_layer(picture, weight, np.zeros(len(weight)))
    return np.cumsum(maps, axis=0) + np.reshape(bias, (-1, 1, 1))


CONV_LAYER = Exercise(
    name="conv_layer",
    lesson="02",
    minutes=8,
    difficulty="medium",
    reference=layers.conv_layer,
    other=_layer_other,
    cases=_layer_cases,
    apply=array_of,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake(
            "bias forgotten",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, np.zeros(len(weight))),
            "The bias is missing: add one number to each kernel's whole map.",
        ),
        Mistake(
            "bias for each channel",
            _made_of(lambda picture, kernel, start: sum(a + start for a in _answers(picture, kernel))),
            "The bias is added once for each channel. It is added once for each kernel, after the channels are summed.",
        ),
        Mistake(
            "bias taken off",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, -np.asarray(bias)),
            "The bias has the wrong sign: it is added.",
        ),
        Mistake(
            "bias along the columns",
            _bias_last_axis,
            "The bias runs along the columns. It belongs to the kernels: `bias[:, None, None]`, or one number "
            "a map.",
        ),
        Mistake(
            "first bias for all",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, np.full(len(weight), bias[0])),
            "Every map got the first bias. Map k gets `bias[k]`.",
        ),
        Mistake(
            "all biases to each map",
            _all_biases,
            "You added the whole array bias to a map, so it ran along the columns, or did not fit. Add one "
            "number: `bias[k]`.",
        ),
        Mistake(
            "sum not begun anew",
            _never_reset,
            "Each map still holds the maps before it: the sum goes on. Begin at 0 for every kernel.",
        ),
        Mistake(
            "the same map each time",
            lambda picture, weight, bias: np.stack(
                [layers.conv_layer(picture, weight, bias)[-1]] * len(weight)
            ),
            "All maps are the last one: you put the same array into the list each time. Make a new one for each kernel.",
        ),
        Mistake(
            "first kernel only",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, bias)[:1],
            "There is only the first kernel's map. Make one for each: loop over weight and bias.",
        ),
        Mistake(
            "channels added before filtering",
            _made_of(
                lambda picture, kernel, start: (
                    filters.correlate2d(picture.sum(axis=0, dtype=float), kernel.sum(axis=0)) + start
                )
            ),
            "You added the channels up first, then filtered the sum. Filter each channel by its own plane, then add.",
        ),
        Mistake(
            "channels averaged before filtering",
            _made_of(
                lambda picture, kernel, start: (
                    filters.correlate2d(picture.mean(axis=0), kernel.mean(axis=0)) + start
                )
            ),
            "You made the picture grey, then filtered it. Filter each channel by its own plane, then add the answers.",
        ),
        Mistake(
            "a batch of one",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, bias)[None],
            "There is a fourth axis: (1, K, ...) is a batch. Return the maps of one picture: `[0]` takes them "
            "out.",
        ),
        Mistake(
            "channels averaged",
            _made_of(lambda picture, kernel, start: np.mean(_answers(picture, kernel), axis=0) + start),
            "You took the mean over the channels. A kernel adds its channels' answers up.",
        ),
        Mistake(
            "first channel only",
            _made_of(lambda picture, kernel, start: _answers(picture, kernel)[0] + start),
            "Only the first channel is looked at. A kernel is as deep as the picture: add all channels' answers up.",
        ),
        Mistake(
            "last channel only",
            _made_of(lambda picture, kernel, start: _answers(picture, kernel)[-1] + start),
            "Only the last channel is left: each overwrites the one before. Add them up: `total = total + "
            "answer`.",
        ),
        Mistake(
            "one plane for all channels",
            _flat_kernels,
            "Every channel meets the kernel's first plane. Channel c meets plane c: `kernel[c]`.",
        ),
        Mistake(
            "kernels flipped",
            lambda picture, weight, bias: layers.conv_layer(picture, np.flip(weight, (2, 3)), bias),
            "The kernels are turned by 180 degrees. A layer takes them as they are: correlation.",
        ),
        Mistake(
            "kernels transposed",
            lambda picture, weight, bias: layers.conv_layer(
                picture, weight.transpose(0, 1, 3, 2).copy().reshape(weight.shape), bias
            ),
            "The kernels lie on their side: rows and columns changed places.",
        ),
        Mistake(
            "maps last",
            lambda picture, weight, bias: np.moveaxis(layers.conv_layer(picture, weight, bias), 0, -1),
            "The maps come last. Channels come first here: (K, out_h, out_w). `np.stack(maps)` puts them there.",
        ),
        Mistake(
            "channels not added",
            _made_of(lambda picture, kernel, start: np.stack(_answers(picture, kernel)) + start),
            "Each kernel gives a map for every channel. It gives one: add its channels' answers up.",
        ),
        Mistake(
            "kernels added too",
            lambda picture, weight, bias: layers.conv_layer(picture, weight, bias).sum(axis=0),
            "You added the kernels' maps together. Each kernel keeps its own map: (K, out_h, out_w).",
        ),
        Mistake(
            "a ReLU too many",
            lambda picture, weight, bias: np.maximum(layers.conv_layer(picture, weight, bias), 0),
            "Negative answers became 0: that is ReLU, the activation that follows. The layer itself keeps them.",
        ),
        Mistake(
            "zeros around",
            lambda picture, weight, bias: layers.conv_layer(
                np.pad(picture, ((0, 0), (1, 1), (1, 1))), weight, bias
            ),
            "You put zeros around the picture. Here the kernels stay inside it.",
        ),
    ],
    hints=[
        "One kernel first. Filter channel 0 by its plane 0, channel 1 by its plane 1, and so on. What do "
        "you do with the answers?",
        "The map of kernel k is the sum of its answers, and its bias:\n"
        "    answers = [filters.correlate2d(channel, plane) for channel, plane in zip(picture, weight[k])]\n"
        "    sum(answers) + bias[k]",
        "Make one map for each kernel in a list, then stack them, (K, out_h, out_w):\n"
        "    return np.stack(maps)",
    ],
    note="That is all a convolutional layer is: one filter for each pair of channel and kernel, added up.",
    shorter="F.conv2d(*(torch.tensor(a).double() for a in (picture[None], weight, bias)))[0]",
)
