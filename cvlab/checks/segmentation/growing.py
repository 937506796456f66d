"""The exercise of lesson 05 on growing a map: upsample_bilinear."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import growing

__all__ = ["UPSAMPLE_BILINEAR"]


def _map(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random floats of both signs."""
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _cases() -> list[Case]:
    return [
        Case(np.array([[0.0, 4.0]]), 1, 4),
        Case(np.array([[0.0, 4.0], [8.0, 12.0]]), 2, 3, align_corners=True),
        Case(np.array([[0.0, 4.0], [8.0, 12.0]]), 4, 4),
        Case(np.array([[0.0, 3.0]]), 1, 4, align_corners=True),
        Case(_map(3, 4), 6, 6),
        Case(_map(3, 4, seed=1), 5, 7, align_corners=True),
        Case(_map(4, 2, seed=2), 9, 3),
        Case(_map(2, 1, seed=3), 7, 5, align_corners=True),
    ]


def _places(i, old, new, align_corners):
    return i * (old - 1) / max(new - 1, 1) if align_corners else (i + 0.5) * old / new - 0.5


def _other(image, height, width, align_corners=False):
    """Let `np.interp` grow the columns, then the rows: it holds the last value beyond either end."""

    def grow(line, new):
        old = len(line)
        return np.interp(_places(np.arange(new), old, new, align_corners), np.arange(old), line)

    rows = np.apply_along_axis(grow, 1, image, width)
    return np.apply_along_axis(grow, 0, rows, height)


def _mixed(places=_places, places_of_columns=None, weigh=lambda share: share, outside="edge"):
    """Return an answer that mixes along both axes, with one rule of its own."""

    def line(old, new, align_corners, place_of):
        place = place_of(np.arange(new), old, new, align_corners)
        low = np.floor(place).astype(int)
        share = weigh(place - low)
        weights = np.zeros((new, old))
        for taps, shares in ((low, 1 - share), (low + 1, share)):
            inside = (taps >= 0) & (taps < old)
            if outside == "edge":
                taps, inside = taps.clip(0, old - 1), np.ones(new, bool)
            if outside == "wrap":
                taps, inside = taps % old, np.ones(new, bool)
            np.add.at(weights, (np.flatnonzero(inside), taps[inside]), shares[inside])
        return weights

    def answer(image, height, width, align_corners=False):
        down = line(image.shape[0], height, align_corners, places)
        return down @ image @ line(image.shape[1], width, align_corners, places_of_columns or places).T

    return answer


def _outside(image, height, width, align_corners=False):
    """Extrapolate in the half pixel before the first centre."""

    def line(old, new):
        place = _places(np.arange(new), old, new, align_corners)
        low = place.astype(int).clip(0, max(old - 2, 0))
        weights = np.zeros((new, old))
        share = place - low if old > 1 else np.zeros(new)
        np.add.at(weights, (np.arange(new), low), 1 - share)
        np.add.at(weights, (np.arange(new), np.minimum(low + 1, old - 1)), share)
        return weights

    return line(image.shape[0], height) @ image @ line(image.shape[1], width).T


def _ratio_of_the_other_side(image, height, width, align_corners=False):
    H, W = image.shape
    by_width = _mixed(
        lambda i, old, new, align: _places(i, W, width, align),
        lambda i, old, new, align: _places(i, H, height, align),
    )
    return by_width(image, height, width, align_corners)


def _diagonal(image, height, width, align_corners=False):
    (top, bottom, down), (left, right, across) = (
        _neighbours(old, new, align_corners) for old, new in zip(image.shape, (height, width), strict=True)
    )
    share = (down[:, None] + across) / 2
    return image[top[:, None], left] * (1 - share) + image[bottom[:, None], right] * share


def _averaged(image, height, width, align_corners=False):
    (top, bottom, down), (left, right, across) = (
        _neighbours(old, new, align_corners) for old, new in zip(image.shape, (height, width), strict=True)
    )
    down, top, bottom = down[:, None], top[:, None], bottom[:, None]
    rows = image[top, left] * (1 - down) + image[bottom, left] * down
    return (rows + image[top, left] * (1 - across) + image[top, right] * across) / 2


def _neighbours(old, new, align_corners):
    place = np.maximum(_places(np.arange(new), old, new, align_corners), 0)
    low = place.astype(int)
    return low, np.minimum(low + 1, old - 1), place - low


_right = growing.upsample_bilinear

UPSAMPLE_BILINEAR = Exercise(
    name="upsample_bilinear",
    lesson="05",
    minutes=8,
    difficulty="medium",
    reference=growing.upsample_bilinear,
    other=_other,
    cases=_cases,
    apply=array_of,
    any_float=True,
    mistakes=[
        Mistake("corners never aligned", lambda image, height, width, align_corners=False: _right(image, height, width), "You use half-pixel centres, whatever the caller asks for. With align_corners the place is `i * (H - 1) / (height - 1)`."),
        Mistake("corners always aligned", lambda image, height, width, align_corners=False: _right(image, height, width, True), "You always tie the corner centres together. Without align_corners the place is `(i + 0.5) * H / height - 0.5`."),
        Mistake("formulas exchanged", lambda image, height, width, align_corners=False: _right(image, height, width, not align_corners), "The two formulas changed places: `i * (H - 1) / (height - 1)` belongs to align_corners."),
        Mistake("no half pixel", _mixed(lambda i, old, new, align: _places(i, old, new, True) if align else i * old / new), "You start from pixel corners, which moves the map up and left. Use centres: `(i + 0.5) * H / height - 0.5`."),
        Mistake("half a pixel not taken off", _mixed(lambda i, old, new, align: _places(i, old, new, True) if align else (i + 0.5) * old / new), "Your places are counted from the edge of the map, the old pixels from the first centre, half a pixel further. Take off `0.5` at the end."),
        Mistake("half pixels with the wrong signs", _mixed(lambda i, old, new, align: _places(i, old, new, True) if align else (i - 0.5) * old / new + 0.5), "The signs of the half pixels changed places. Add half a new pixel, scale, then take off half an old one: `(i + 0.5) * H / height - 0.5`."),
        Mistake("half pixels in both", _mixed(lambda i, old, new, align: (i + 0.5) * (old - 1) / max(new - 1, 1) - 0.5 if align else _places(i, old, new, False)), "With align_corners there is no half pixel: the place is `i * (H - 1) / (height - 1)`, from 0 to `H - 1`."),
        Mistake("corners aligned to the size", _mixed(lambda i, old, new, align: i * (old - 1) / new if align else _places(i, old, new, False)), "Your last new centre does not reach the last old one. There are `height - 1` steps: divide by that."),
        Mistake("corners aligned from the size", _mixed(lambda i, old, new, align: i * old / max(new - 1, 1) if align else _places(i, old, new, False)), "Your last new centre goes beyond the last old one: the old centres are `H - 1` apart, not `H`."),
        Mistake("extrapolated", _outside, "Before the first old centre, and after the last, you go on along the line. Clamp the place, or the neighbours: the border's value stays."),
        Mistake("wraps round", _mixed(outside="wrap"), "Index -1 is the last pixel, so the far side shines through at the border. Clamp: `np.maximum(place, 0)`."),
        Mistake("zeros outside", _mixed(outside="zero"), "Beyond the border you take 0, so the rim fades. Clamp the neighbours: `np.minimum(low + 1, H - 1)`, and never below 0."),
        Mistake("height and width swapped", lambda image, height, width, align_corners=False: _right(image, width, height, align_corners), "Height and width changed places. Rows come first: the result has shape (height, width)."),
        Mistake("scaled by the other side", _ratio_of_the_other_side, "Rows are scaled by the width's ratio, columns by the height's. Use `H / height` for rows, `W / width` for columns."),
        Mistake("weights exchanged", _mixed(weigh=lambda share: 1 - share), "The nearer neighbour gets the smaller weight. `place - low` is the weight of the far one, low gets the rest."),
        Mistake("ratio upside down", _mixed(lambda i, old, new, align: i * (new - 1) / max(old - 1, 1) if align else (i + 0.5) * new / old - 0.5), "The ratio is upside down. From a new place to an old one you multiply by `H / height`."),
        Mistake("nearest", _mixed(weigh=lambda share: np.floor(share + 0.5)), "Each of your pixels copies one neighbour: that is nearest. Mix them by `place - low`."),
        Mistake("the lower one", _mixed(weigh=lambda share: 0 * share), "You keep the neighbour at low alone. The next one counts too, by `place - low`."),
        Mistake("the mean of the neighbours", _mixed(weigh=lambda share: np.where(share > 0, 0.5, 0.0)), "Your neighbours count equally. The nearer counts more: low gets `1 - (place - low)`."),
        Mistake("only the rows", lambda image, height, width, align_corners=False: _right(image, height, image.shape[1], align_corners), "Only the rows have grown. Do the same with the columns: width and W."),
        Mistake("two neighbours", _diagonal, "You mix the upper left with the lower right neighbour only. Four count: mix along the rows, then along the columns."),
        Mistake("two mixtures averaged", _averaged, "You average a mixture of rows and one of columns. Each of the four weights is a product: first mix rows, then mix the results."),
        Mistake("whole numbers", lambda image, height, width, align_corners=False: np.round(_right(image, height, width, align_corners)), "You rounded the result. Scores and brightness may lie between whole numbers."),
        Mistake("bicubic", lambda image, height, width, align_corners=False: growing.interpolate(image, height, width, "bicubic", align_corners), "Four neighbours along each axis count: that is bicubic. Bilinear mixes the two nearest."),
    ],
    hints=[
        "Each axis by itself: where among the old centres does each new one lie, and which two are its neighbours?",
        "The place has two formulas; without align_corners clamp it to 0 or more. Then:\n"
        "    low = place.astype(int)\n"
        "    high = np.minimum(low + 1, H - 1)",
        "Weights are `1 - share` and `share = place - low`. Mix rows, then columns:\n"
        "    rows = image[top] * (1 - down[:, None]) + image[bottom] * down[:, None]\n"
        "    return rows[:, left] * (1 - across) + rows[:, right] * across",
    ],
    note="All weights are from 0 to 1 and sum to 1, so no new value leaves the old range.",
    shorter="F.interpolate(torch.tensor(image)[None, None], (height, width), mode='bilinear', "
    "align_corners=align_corners)[0, 0].numpy()",
)  # fmt: skip
