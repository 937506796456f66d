"""The exercise of lesson 05 on undoing max-pooling: max_unpool2d."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import unpooling

__all__ = ["MAX_UNPOOL2D"]


def _pooled(C: int, height: int, width: int, size: int, stride: int, seed: int = 0) -> Case:
    """Return the case of random maps after max-pooling: what was kept, and where it stood."""
    maps = np.random.default_rng(seed).normal(size=(C, height, width)).round(2)
    windows = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride].reshape(C, *windows[0, ::stride, ::stride].shape[:2], -1)
    row, col = np.divmod(windows.argmax(axis=-1), size)  # (C, h, w) in its window
    h, w = row.shape[1:]
    row, col = row + stride * np.arange(h)[:, None], col + stride * np.arange(w)
    return Case(windows.max(axis=-1), row * width + col, height, width)


def _cases() -> list[Case]:
    return [
        Case(np.array([[[7, 8]]]), np.array([[[5, 2]]]), 2, 4),
        Case(np.array([[[7, 8]], [[6, 9]]], np.uint8), np.array([[[0, 3]], [[4, 6]]]), 2, 4),
        _pooled(1, 4, 4, 2, 2),
        _pooled(1, 3, 4, 2, 1, seed=1),
        _pooled(2, 6, 4, 2, 2, seed=2),
        _pooled(3, 5, 7, 3, 2, seed=3),
    ]


def _other(values, indices, height, width):
    """Walk over every kept number."""
    grown = np.zeros((len(values), height, width), values.dtype)
    for c, row, col in np.ndindex(values.shape):
        at = indices[c, row, col]
        grown[c, at // width, at % width] = values[c, row, col]
    return grown


def _put(place, values_of=lambda values: values, empty=0):
    """Return an answer that puts each number at `place(indices, height, width)` of its channel."""

    def answer(values, indices, height, width):
        kept = values_of(values)
        grown = np.full((len(values), height * width), empty, kept.dtype)
        at = place(indices, height, width) % (height * width)
        np.put_along_axis(grown, at.reshape(len(values), -1), kept.reshape(len(values), -1), axis=1)
        return grown.reshape(len(values), height, width)

    return answer


_right = unpooling.max_unpool2d


def _added(values, indices, height, width):
    grown = np.zeros((len(values), height * width), values.dtype)
    for channel, at, kept in zip(grown, indices, values, strict=True):
        np.add.at(channel, at.ravel(), kept.ravel())
    return grown.reshape(len(values), height, width)


def _one_channel(values, indices, height, width):
    grown = np.zeros(values.shape[0] * height * width, values.dtype)
    grown[indices.ravel()] = values.ravel()
    return grown.reshape(-1, height, width)


def _spread(values, height, width):
    """Return the values stretched over the whole size, each over its own block."""
    h, w = values.shape[1:]
    return values[:, (np.arange(height) * h // height)[:, None], np.arange(width) * w // width]


def _reading_order(values, indices, height, width):
    grown = np.zeros((len(values), height * width), values.dtype)
    for channel, at, kept in zip(grown, indices, values, strict=True):
        channel[np.unique(at)] = np.resize(kept, np.unique(at).size)
    return grown.reshape(len(values), height, width)


def _corners(values, indices, height, width):
    h, w = values.shape[1:]
    grown = np.zeros((len(values), height, width), values.dtype)
    grown[:, (np.arange(h) * height // h)[:, None], np.arange(w) * width // w] = values
    return grown


def _pooled_width(values, indices, height, width):
    w = values.shape[2]
    grown = np.zeros((len(values), height, width), values.dtype)
    for c, row, col in np.ndindex(values.shape):
        at = indices[c, row, col]
        grown[c, (at // w) % height, at % w] = values[c, row, col]
    return grown


MAX_UNPOOL2D = Exercise(
    name="max_unpool2d",
    lesson="05",
    minutes=6,
    difficulty="medium",
    reference=unpooling.max_unpool2d,
    other=_other,
    cases=_cases,
    apply=array_of,
    mistakes=[
        Mistake("adds", _added, "Where windows overlap, one place comes twice, and you added its number twice. Set it: `=`, not `+=`."),
        Mistake("counted down the columns", _put(lambda at, height, width: at % height * width + at // height), "You count places down the columns. They go along the rows: row is `index // width`, column is `index % width`."),
        Mistake("row and column exchanged", _put(lambda at, height, width: at % width * width + at // width), "Row and column changed places: row is `index // width`, column is `index % width`."),
        Mistake("width after pooling", _pooled_width, "You divide the index by the pooled width. It counts places before pooling: `index // width`."),
        Mistake("all in one channel", _one_channel, "Indices count within a channel, so every channel landed in the first. Treat each channel by itself."),
        Mistake("places of the first channel", lambda values, indices, height, width: _right(values, np.broadcast_to(indices[:1], indices.shape), height, width), "You use the first channel's places for all. Each channel remembers its own."),
        Mistake("fills the window", lambda values, indices, height, width: _spread(values, height, width), "You filled the whole window: that is nearest. Only the remembered place gets the number, the others 0."),
        Mistake("corner of the window", _corners, "You put each number into its window's first place. indices says where it stood."),
        Mistake("in reading order", _reading_order, "The right places, filled in reading order. Each number belongs to its own index: assign by indices, not through a mask."),
        Mistake("the lowest outside", _put(lambda at, height, width: at, empty=1), "Places that nobody remembers hold 1. They are 0: begin with `np.zeros`."),
        Mistake("height and width swapped", lambda values, indices, height, width: _right(values, indices, width, height), "Height and width changed places. The result has shape (C, height, width)."),
        Mistake("counts from one", _put(lambda at, height, width: at - 1), "Every number is one place early. Indices count from 0: take off nothing."),
        Mistake("values turned", lambda values, indices, height, width: _right(values.transpose(0, 2, 1).reshape(values.shape), indices, height, width), "The numbers are read down the columns, the indices along the rows. Flatten both in the same order."),
        Mistake("marks the places", _put(lambda at, height, width: at, np.ones_like), "You wrote 1 at the remembered places. Put the kept numbers there."),
        Mistake("writes the places", lambda values, indices, height, width: _right(indices.astype(values.dtype), indices, height, width), "You wrote the index itself. It is where the number goes; the number is in values."),
        Mistake("result in floats", lambda values, indices, height, width: _right(values.astype(float), indices, height, width), "The numbers are right, but the dtype changed. Make the result with `values.dtype`."),
        Mistake("channels lost", lambda values, indices, height, width: _right(values, indices, height, width)[0], "You return the first channel alone. The result has shape (C, height, width)."),
        Mistake("left flat", lambda values, indices, height, width: _right(values, indices, height, width).reshape(len(values), -1), "The numbers are right, but still in one line a channel. Reshape to (C, height, width)."),
    ],
    hints=[
        "Begin with zeros of shape (C, height, width). Where does index 5 stand in a map that is 4 wide?",
        "`row, col = divmod(index, width)`. Loop over channels and windows, and set one number at a time.",
        "Without loops: make it flat, put, and shape it again:\n"
        "    grown = np.zeros((C, height * width), values.dtype)\n"
        "    np.put_along_axis(grown, indices.reshape(C, -1), values.reshape(C, -1), axis=1)",
    ],
    equivalent={
        "channels = len(indices)": "values and indices have one shape",
        "places = indices.reshape(channels, -2)": "NumPy takes any negative number for the missing side",
        "np.put_along_axis(grown, places, values.reshape(channels, -2), axis=1)": "NumPy takes any negative number for the missing side",
    },
    note="It undoes the moving, not the forgetting: what max-pooling dropped stays 0.",
)  # fmt: skip
