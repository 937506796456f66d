"""The exercise of lesson 08a on the views: crops of two sizes, cut and resized."""

import torch
import torch.nn.functional as F
from torchvision.transforms.functional import resized_crop

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.distillation import views as package

__all__ = ["MULTI_CROP"]

WHOLE, CORNER = [1.0, 1.5, 0.0, 0.0], [0.24, 1.5, 1.0, 0.0]


def _case(rows, shape=(1, 8, 12), large=8, small=4, dtype="float32") -> Case:
    dice = torch.Generator().manual_seed(len(rows))
    image = torch.rand(shape, generator=dice).to(getattr(torch, dtype))
    case = Case(image=image, crops=torch.tensor(rows), large=large, small=small)
    return case.shown_as(f"multi_crop(torch.rand{shape}, torch.tensor({rows}), large={large}, small={small})")


def _cases() -> list[Case]:
    return [
        _case([WHOLE, CORNER]),
        _case([CORNER, [0.4, 1.2, 0.25, 0.7]]),
        _case([WHOLE, CORNER, [0.25, 2.0, 0.3, 0.6], [0.068, 1.0, 0.4, 0.4]]),
        _case(
            [[0.6, 1.3, 1.0, 1.0], [0.9, 1.4, 0.0, 0.0], [0.1, 0.75, 0.8, 0.2], [0.3, 1.0, 0.0, 1.0]],
            (3, 30, 41),
            12,
            5,
        ),
        _case(
            [[1.0, 1.6, 0.0, 0.0], [0.5, 1.1, 0.4, 0.9], [0.07, 1.3, 0.2, 0.7]],
            (3, 40, 64),
            16,
            20,
            "float64",
        ),
    ]


def _other(image, crops, large=96, small=48):
    """By torchvision, from the side of a square of the same area."""
    height, width = image.shape[-2:]
    sides = [large, large] + [small] * (len(crops) - 2)
    views = []
    for side, (area, ratio, x, y) in zip(sides, crops.tolist(), strict=True):
        square, stretch = (area * height * width) ** 0.5, ratio**0.5
        wide, high = round(square * stretch), round(square / stretch)
        place = round((height - high) * y), round((width - wide) * x)
        views.append(resized_crop(image, *place, high, wide, [side, side], antialias=True))
    return views


def _wrong(
    *,
    shape=lambda area, ratio, h, w: ((area * h * w * ratio) ** 0.5, (area * h * w / ratio) ** 0.5),
    place=lambda x, y, h, w, high, wide: (x * (w - wide), y * (h - high)),
    side=lambda i, large, small: large if i < 2 else small,
    whole=round,
    options=(("mode", "bilinear"), ("antialias", True)),
    end=lambda views: views,
):
    """Return a `multi_crop` with one slip."""

    def multi_crop(image, crops, large=96, small=48):
        h, w = image.shape[1:]
        views = []
        for i, (area, ratio, x, y) in enumerate(crops.tolist()):
            wide, high = (max(1, whole(v)) for v in shape(area, ratio, h, w))
            left, top = (max(0, whole(v)) for v in place(x, y, h, w, high, wide))
            left, top = min(left, w - 1), min(top, h - 1)
            part = image[:, top : top + high, left : left + wide]
            size = (side(i, large, small),) * 2
            views.append(F.interpolate(part[None], size, **dict(options))[0])
        return end(views)

    return multi_crop


def _batched(views):
    return [view[None] for view in views]


MULTI_CROP = Exercise(
    name="multi_crop",
    lesson="08a",
    minutes=10,
    difficulty="medium",
    reference=package.multi_crop,
    other=_other,
    cases=_cases,
    tolerance=1e-5,
    mistakes=[
        Mistake("ratio upside down", _wrong(shape=lambda a, r, h, w: ((a * h * w / r) ** 0.5, (a * h * w * r) ** 0.5)), "Your ratio stands on its head. It is width over height: with 4, the crop is four times as wide as high."),
        Mistake("share of the sides", _wrong(shape=lambda a, r, h, w: (a * w * r**0.5, a * h / r**0.5)), "You take the area as a share of each side. Half of both sides is a quarter of the area: take the root."),
        Mistake("whole ratio", _wrong(shape=lambda a, r, h, w: ((a * h * w) ** 0.5 * r, (a * h * w) ** 0.5)), "You multiply the width by the whole ratio and leave the height, so the area grows. Each side gets its root."),
        Mistake("whole ratio twice", _wrong(shape=lambda a, r, h, w: ((a * h * w) ** 0.5 * r, (a * h * w) ** 0.5 / r)), "You multiply and divide by the whole ratio: then width over height is its square. The root is wanted."),
        Mistake("no ratio", _wrong(shape=lambda a, r, h, w: ((a * h * w) ** 0.5,) * 2), "All your crops are squares. The ratio says how much wider than high a crop is."),
        Mistake("ratio of the picture", _wrong(shape=lambda a, r, h, w: ((a * r) ** 0.5 * w, (a / r) ** 0.5 * h)), "Your ratio is counted from the picture's own. It is width over height in pixels: start from the area in pixels."),
        Mistake("square of the height", _wrong(shape=lambda a, r, h, w: (h * (a * r) ** 0.5, h * (a / r) ** 0.5)), "Your area is a share of height times height. The picture need not be square: height times width."),
        Mistake("x of the whole width", _wrong(place=lambda x, y, h, w, high, wide: (x * w, y * h)), "You start at a share of the whole width: at 1 nothing is left. x is a share of the room beside the crop."),
        Mistake("x and y exchanged", _wrong(place=lambda x, y, h, w, high, wide: (y * (w - wide), x * (h - high))), "x and y changed places: x moves the crop to the right, y down."),
        Mistake("from the far corner", _wrong(place=lambda x, y, h, w, high, wide: ((1 - x) * (w - wide), (1 - y) * (h - high))), "You count from the lower right. x = 0 is the left edge, y = 0 the upper one."),
        Mistake("in the middle", _wrong(place=lambda x, y, h, w, high, wide: ((w - wide) / 2, (h - high) / 2)), "All your crops lie in the middle. x and y say where they lie in the room that is left."),
        Mistake("in the corner", _wrong(place=lambda x, y, h, w, high, wide: (0, 0)), "All your crops lie in the upper left corner. x and y say where they lie in the room that is left."),
        Mistake("around x, y", _wrong(place=lambda x, y, h, w, high, wide: (x * w - wide / 2, y * h - high / 2)), "You take x and y as the crop's centre. They share out the room that is left beside the crop."),
        Mistake("all large", _wrong(side=lambda i, large, small: large), "All your views are large. Only the first two are global; the others are resized to `small`."),
        Mistake("all small", _wrong(side=lambda i, large, small: small), "All your views are small. The first two are global and are resized to `large`."),
        Mistake("one large", _wrong(side=lambda i, large, small: small if i else large), "Only your first view is large. There are two global ones: the teacher sees both."),
        Mistake("three large", _wrong(side=lambda i, large, small: large if i <= 2 else small), "Three of your views are large. Counting starts at 0: the global ones are 0 and 1."),
        Mistake("cut down", _wrong(whole=int), "You cut the sides and corners down to whole pixels. Take the nearest: `round`."),
        Mistake("no antialias", _wrong(options=(("mode", "bilinear"),)), "You resize without `antialias=True`: where a crop shrinks, pixels between the samples are passed over."),
        Mistake("nearest", _wrong(options=(("mode", "nearest"),)), "You resize to the nearest pixel. Ask for `mode=\"bilinear\", antialias=True`."),
        Mistake("bicubic", _wrong(options=(("mode", "bicubic"), ("antialias", True))), "You resize bicubically. Ask for `mode=\"bilinear\"`."),
        Mistake("batch axis", _wrong(end=_batched), "Your views have an axis too many. `interpolate` wants a batch and gives one: take `[0]`."),
        Mistake("local ones first", _wrong(end=lambda views: views[2:] + views[:2]), "Your global views stand last. The order is that of `crops`."),
        Mistake("two alone", _wrong(end=lambda views: views[:2]), "You return the global views alone. Every row of `crops` is a view."),
    ],
    hints=[
        "By hand: 100 x 100 pixels, area 0.16, ratio 4. That is 1600 pixels, and the width is four times the height: 80 x 20.",
        "Width times height is the area, width over height the ratio. So the width is the root of both multiplied:\n"
        "    wide = round((area * h * w * ratio) ** 0.5)\n"
        "    high = round((area * h * w / ratio) ** 0.5)",
        "The room that is left is shared out, then cut:\n"
        "    left, top = round(x * (w - wide)), round(y * (h - high))\n"
        "    part = image[:, top : top + high, left : left + wide]",
    ],
    equivalent={
        "views.append(view[-1])": "the batch has one picture, which is its first and its last",
    },
    note="Views of two sizes cannot be stacked: a student takes them in two batches.",
)  # fmt: skip
