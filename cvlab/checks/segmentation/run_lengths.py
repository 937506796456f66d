"""The exercises of lesson 05 that write a mask as run lengths and read it back."""

from itertools import groupby

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import run_lengths

__all__ = ["RLE_DECODE", "RLE_ENCODE"]

MASKS = [
    "0",
    "1",
    "01",
    "10",
    "01/11",
    "10/01",
    "110/011",
    "0110/0111/0001",
    "1001/1001/0011",
    "0000/0110/0110/0010/0000",
]


def _masks() -> list[np.ndarray]:
    """Return masks, the smallest first, of other heights than widths, that begin and end on and off."""
    return [np.array([[pixel == "1" for pixel in row] for row in text.split("/")]) for text in MASKS]


def _encode_other(mask):
    """Go through the pixels one by one."""
    counts, state = [0], False
    for pixel in mask.T.flatten().tolist():
        if pixel != state:
            counts.append(0)
            state = pixel
        counts[-1] += 1
    return counts


def _runs(mask, order="F"):
    return [(bool(value), len(list(run))) for value, run in groupby(mask.ravel(order=order).tolist())]


def _lengths(mask, *, order="F", first=False):
    """Return run lengths of which the first is of pixels that are `first`."""
    runs = _runs(mask, order)
    return [0] * (runs[0][0] != first) + [length for _, length in runs]


def _always_a_zero(mask):
    return [0] + [length for _, length in _runs(mask)]


def _zero_behind(mask):
    runs = _runs(mask)
    return [length for _, length in runs] + [0] * runs[0][0]


def _starts(mask):
    return np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False)).tolist()


def _starts_and_lengths(mask):
    starts, lengths = _starts(mask), _lengths(mask)[1::2]
    return [number for pair in zip(starts[::2], lengths, strict=True) for number in pair]


RLE_ENCODE = Exercise(
    name="rle_encode",
    lesson="05",
    minutes=6,
    difficulty="medium",
    reference=run_lengths.rle_encode,
    other=_encode_other,
    cases=lambda: [Case(mask) for mask in _masks()],
    mistakes=[
        Mistake("row order", lambda mask: _lengths(mask, order="C"), "You go along the rows. COCO goes down the columns: `mask.ravel(order=\"F\")`, or `mask.T.ravel()`."),
        Mistake("zigzag", lambda mask: _lengths(np.stack([col[:: 1 - 2 * (x % 2)] for x, col in enumerate(mask.T)], axis=1)), "Every second column is read upwards. Each is read from the top down."),
        Mistake("columns from the last", lambda mask: _lengths(mask[:, ::-1]), "You begin with the last column. Begin with the first, at the left."),
        Mistake("from the bottom", lambda mask: _lengths(mask[::-1]), "You read the columns upwards. Each is read from the top down."),
        Mistake("from the end", lambda mask: _lengths(mask[::-1, ::-1]), "You read from the last pixel to the first. Begin with the top left one."),
        Mistake("first run is of ones", lambda mask: _lengths(mask, first=True), "Your first run counts pixels that are on. COCO's counts those that are off, and is 0 where there are none. Did you write `~mask`?"),
        Mistake("leading zero forgotten", lambda mask: [length for _, length in _runs(mask)], "A mask whose first pixel is on needs a 0 in front: no pixels off, then the first run of pixels on."),
        Mistake("leading zero always", _always_a_zero, "You always put a 0 in front. It belongs there only where the first pixel is on."),
        Mistake("the zero at the end", _zero_behind, "The 0 belongs in front, before the first run, not behind the last."),
        Mistake("leading zero is a one", lambda mask: [1] * bool(mask[0, 0]) + [n for _, n in _runs(mask)], "Where the first pixel is on, the first run counts the pixels off before it: that is 0, not 1."),
        Mistake("last run forgotten", lambda mask: _lengths(mask)[:-1], "The last run is missing: nothing changes at the end of the mask, so it has to be counted as well. The counts add up to H x W."),
        Mistake("a last run of ones only", lambda mask: _lengths(mask)[: len(_lengths(mask)) // 2 * 2], "A last run of pixels that are off is counted as well: the counts add up to H x W."),
        Mistake("first run forgotten", lambda mask: _lengths(mask)[1:], "The first run is missing: the pixels that are off before the first one that is on."),
        Mistake("zeros left out", lambda mask: _lengths(mask)[1::2], "You count only the runs of pixels that are on. Without those between them nobody knows where they lie."),
        Mistake("ones left out", lambda mask: _lengths(mask)[::2], "You count only the runs of pixels that are off. Those that are on are counted as well, in turn."),
        Mistake("pairs", lambda mask: [[int(value), length] for value, length in _runs(mask)], "You return pairs of value and length. The values need no writing: they take turns, off first. Return the lengths alone."),
        Mistake("values", lambda mask: [int(value) for value, _ in _runs(mask)], "You return what the runs are made of. Return how long they are."),
        Mistake("one too short", lambda mask: [length - 1 for length in _lengths(mask)], "Each run is one too short: a change between two pixels ends one run and begins the next, so the second belongs to the next."),
        Mistake("starts, not lengths", lambda mask: [0, *_starts(mask)], "You return where the runs begin. Return how long they are: the differences, `np.diff`."),
        Mistake("ends, not lengths", lambda mask: np.cumsum(_lengths(mask)).tolist(), "You return where the runs end. Return how long they are: the differences, `np.diff`."),
        Mistake("start and length", _starts_and_lengths, "You return start and length of each run that is on, as some contests want it. COCO writes lengths only, off and on in turn."),
        Mistake("each column anew", lambda mask: [n for col in mask.T for n in _lengths(col[:, None])], "You begin anew in each column. A run goes on from the bottom of one column to the top of the next: make one long line first."),
        Mistake("first column only", lambda mask: _lengths(mask[:, :1]), "You read only the first column. All follow, one after the other."),
        Mistake("how many are on", lambda mask: [int((~mask).sum()), int(mask.sum())], "You count all pixels that are off and all that are on. Count each run by itself, in the order of reading."),
        Mistake("an array", lambda mask: np.array(_lengths(mask)), "The counts are right, but they come as an array, which JSON cannot write. Return a list: `.tolist()`."),
        Mistake("packed as text", lambda mask: "".join(chr(48 + n) for n in _lengths(mask)), "You return text. Here the plain counts are wanted, a list of numbers; packing them comes later in the lesson."),
    ],
    hints=[
        "Make one line of all pixels, column after column. Where does it change? A run is as long as the way from one "
        "change to the next.",
        "The line, and the places where it differs from the pixel before; the one before the first counts as off:\n"
        "    pixels = mask.ravel(order=\"F\")\n"
        "    starts = np.flatnonzero(np.diff(pixels, prepend=False))",
        "The first run begins at 0, the last ends at the end:\n"
        "    return np.diff(starts, prepend=0, append=pixels.size).tolist()",
    ],
    note="A mask whose first pixel is on begins with 0: that is how the reader knows which runs are on.",
)  # fmt: skip


def _decode_other(counts, height, width):
    """Paint run after run into a flat line."""
    flat, at = np.zeros(width * height, dtype=bool), 0
    for i, count in enumerate(counts):
        flat[at : at + count] = i % 2
        at += count
    return flat.reshape(width, height).T


def _decode_cases() -> list[Case]:
    return [Case(_encode_other(mask), *mask.shape) for mask in _masks()]


def _line(counts, first=False):
    return np.repeat([(i % 2 == 1) != first for i in range(len(counts))], counts)


def _decoded(*, shape=lambda h, w: (h, w), order="F", line=_line, after=lambda mask: mask):
    """Return a decoder with the slips that the arguments say."""
    return lambda counts, height, width: after(line(counts).reshape(shape(height, width), order=order))


def _marked(places):
    """Return a decoder that switches single pixels on: `places(counts)`."""

    def decode(counts, height, width):
        flat = np.zeros(height * width, dtype=bool)
        flat[[place for place in places(counts) if place < flat.size]] = True
        return flat.reshape(height, width, order="F")

    return decode


def _where_runs_start(counts):
    return [0, *np.cumsum(counts)[:-1].tolist()]


def _ends_kept(counts):
    ends = np.cumsum(counts)
    return [place for a, b in zip(ends[::2], ends[1::2], strict=False) for place in range(a, b + 1)]


def _one_late(counts):
    return [place + 1 for place in np.flatnonzero(_line(counts))]


def _swallowed(counts, height, width):
    """Stop at the first run of length 0."""
    counts = counts[: counts.index(0)] if 0 in counts else counts
    flat = np.zeros(height * width, dtype=bool)
    flat[: sum(counts)] = _line(counts)
    return flat.reshape(height, width, order="F")


def _without_zeros(counts):
    return _line([count for count in counts if count])


def _without_the_last(counts):
    line = _line(counts)
    line[line.size - counts[-1] :] = False
    return line


RLE_DECODE = Exercise(
    name="rle_decode",
    lesson="05",
    minutes=5,
    difficulty="easy",
    reference=run_lengths.rle_decode,
    other=_decode_other,
    cases=_decode_cases,
    apply=array_of,
    mistakes=[
        Mistake("row order", _decoded(order="C"), "You fill the rows. COCO goes down the columns: `reshape(height, width, order=\"F\")`."),
        Mistake("transposed", _decoded(order="C", shape=lambda h, w: (w, h)), "The columns lie down as rows. `reshape(width, height)` fills column after column; `.T` sets them upright."),
        Mistake("height and width exchanged", _decoded(shape=lambda h, w: (w, h)), "The mask is width high and height wide. Rows come first: `reshape(height, width, order=\"F\")`."),
        Mistake("first run is on", _decoded(line=lambda counts: _line(counts, first=True)), "You begin with pixels that are on. The first run is of those that are off, even when it is 0 long."),
        Mistake("zero runs skipped", _decoded(line=_without_zeros), "You leave out runs of length 0, and all that follow change places. A run of 0 pixels still takes its turn."),
        Mistake("zero ends it", _swallowed, "You stop at a run of 0. It only says that the mask begins with pixels that are on."),
        Mistake("last run forgotten", _decoded(line=_without_the_last), "The last run stays off. Paint it too when it is its turn."),
        Mistake("starts only", _marked(lambda counts: _where_runs_start(counts)[1::2]), "You switch on only the first pixel of a run. All of them are on: `np.repeat`."),
        Mistake("one too many", _marked(_ends_kept), "Your runs are one pixel too long: a slice from start to start + count holds count pixels already."),
        Mistake("one late", _marked(_one_late), "Your runs begin one pixel too late. The first pixel has number 0."),
        Mistake("counts as places", _marked(lambda counts: counts), "You take the counts for places of pixels. They are lengths: each begins where the one before ended."),
        Mistake("columns from the last", _decoded(after=lambda m: m[:, ::-1]), "You fill the last column first. The first run begins at the top left."),
        Mistake("from the bottom", _decoded(after=lambda m: m[::-1]), "You fill the columns upwards. Each is filled from the top down."),
        Mistake("flat", lambda counts, height, width: _line(counts), "You return one long line. Cut it into columns: `reshape(height, width, order=\"F\")`."),
        Mistake("one row a run", lambda counts, height, width: np.repeat(np.arange(len(counts)) % 2 == 1, 1)[None], "You return one value a run. Each is repeated as often as its count says: `np.repeat(on, counts)`."),
        Mistake("whole numbers", _decoded(after=lambda m: m.astype(np.uint8)), "The pixels are right, but they are numbers. A mask is bool: compare, `% 2 == 1`."),
        Mistake("run numbers", _decoded(line=lambda counts: np.repeat(np.arange(len(counts)), counts)), "Each pixel holds the number of its run. Runs with an odd number are on: `% 2 == 1`."),
        Mistake("nested lists", _decoded(after=lambda m: m.tolist()), "The pixels are right, but they come as lists. Return an array of shape (height, width)."),
    ],
    hints=[
        "Which runs are on? The second, the fourth, and so on. Write one long line of pixels first, then cut it into columns.",
        "The line:\n"
        "    on = np.arange(len(counts)) % 2 == 1\n"
        "    pixels = np.repeat(on, counts)",
        "And the columns, from the top down:\n"
        "    return pixels.reshape(height, width, order=\"F\")",
    ],
    note="A run may go on from the foot of one column to the head of the next.",
)  # fmt: skip
