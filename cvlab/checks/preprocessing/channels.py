"""Lesson 01's exercises on channels: to_rgb, hwc_to_chw."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["HWC_TO_CHW", "TO_RGB"]


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _to_rgb_other(image_bgr: np.ndarray) -> np.ndarray:
    """Take the planes apart and stack them the other way round."""
    blue, green, red = np.moveaxis(image_bgr, -1, 0)
    return np.dstack([red, green, blue])


def _to_rgb_cases() -> list[Case]:
    return [
        Case(np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)),
        Case(_pixels(2, 2, 3)),
        Case(_pixels(3, 4, 3) / 255),
        Case(_pixels(5, 3, 3).astype(np.uint16) * 200),
    ]


def _swap_without_third_hand(image: np.ndarray) -> np.ndarray:
    result = image.copy()
    result[..., 0] = result[..., 2]
    result[..., 2] = result[..., 0]
    return result


def _swap_in_the_input(image: np.ndarray) -> np.ndarray:
    image[..., 0] = image[..., 2]
    image[..., 2] = image[..., 0]
    return image


def _swap_in_place(image: np.ndarray) -> np.ndarray:
    image[..., [0, 2]] = image[..., [2, 0]]
    return image


def _with_alpha(image: np.ndarray) -> np.ndarray:
    opaque = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    return np.dstack([image[..., ::-1], np.full_like(image[..., 0], opaque)])


TO_RGB = Exercise(
    name="to_rgb",
    lesson="01",
    minutes=3,
    difficulty="easy",
    reference=preprocess.to_rgb,
    other=_to_rgb_other,
    cases=_to_rgb_cases,
    apply=array_of,
    view_allowed=False,
    mistakes=[
        Mistake(
            "not swapped, or swapped twice",
            lambda image: image.copy(),
            "The channels come back as they were: never swapped, or swapped twice. Swap them once.",
        ),
        Mistake(
            "swaps green and red",
            lambda image: image[..., [0, 2, 1]],
            "Green and red changed places. Green is in the middle in both orders: swap the first and the last.",
        ),
        Mistake(
            "swaps blue and green",
            lambda image: image[..., [1, 0, 2]],
            "Blue and green changed places. Green is in the middle in both orders: swap the first and the last.",
        ),
        Mistake(
            "rolls the channels",
            lambda image: np.roll(image, 1, axis=2),
            "The channels moved round by one. Only the first and the last change places; green stays.",
        ),
        Mistake(
            "rolls the channels the other way",
            lambda image: np.roll(image, -1, axis=2),
            "The channels moved round by one place. Green stays in the middle; the first and the last are exchanged.",
        ),
        Mistake(
            "loses blue",
            lambda image: image[..., 2:0:-1].copy(),
            "Blue is lost: a slice stops before its end, so `2:0:-1` never reaches 0. Leave start and end "
            "out: `::-1`.",
        ),
        Mistake(
            "view",
            lambda image: image[..., ::-1],
            "The colours are right, but this is a view: it reads the input backwards, and torch refuses that. "
            "Add `.copy()`.",
        ),
        Mistake(
            "changes its input",
            _swap_in_place,
            "You swapped the channels of the caller's picture. Return a new array: copy first.",
        ),
        Mistake(
            "overwrites red's place too early",
            _swap_without_third_hand,
            "Red was written over blue before blue was read, so both are red now. Reverse the axis in one step.",
        ),
        Mistake(
            "a second name, not a copy",
            _swap_in_the_input,
            "A second name for the picture is no copy: you wrote into the caller's picture, and red over blue "
            "before blue was read. Begin with `image_bgr.copy()`.",
        ),
        Mistake(
            "adds alpha",
            _with_alpha,
            "Your picture has four channels: an alpha channel was added. RGB has three.",
        ),
        Mistake(
            "reverses the columns",
            lambda image: image[:, ::-1].copy(),
            "You mirrored the picture. The channels are the last axis: `image[:, :, ::-1]`.",
        ),
        Mistake(
            "reverses the rows",
            lambda image: image[::-1].copy(),
            "You turned the picture upside down. The channels are the last axis: `image[:, :, ::-1]`.",
        ),
        Mistake(
            "channels first",
            lambda image: np.moveaxis(image[..., ::-1], 2, 0).copy(),
            "The order of the colours is right, but the channels came first: (3, H, W). `np.stack` needs "
            "`axis=2`.",
        ),
        Mistake(
            "reverses every axis",
            lambda image: image[::-1, ::-1, ::-1].copy(),
            "The colours are right, but the picture is upside down. Reverse the last axis only.",
        ),
        Mistake(
            "scales to [0, 1]",
            lambda image: image[..., ::-1] / 255,
            "You also divided by 255. Only the order changes here; values and dtype stay.",
        ),
    ],
    hints=[
        "`image_bgr[0, 0]` is blue, green, red. You want red, green, blue: which place keeps its value?",
        "The channels are the last axis, and a slice with step -1 reads an axis backwards.",
        "`image_bgr[:, :, ::-1]` is a view of the input; one method makes it an array of its own:\n"
        "    return image_bgr[:, :, ::-1].copy()",
    ],
    note="Do it once, right after reading: converting twice brings BGR back without any error.",
    shorter="image_bgr[:, :, ::-1].copy()",
)


def _hwc_other(image: np.ndarray) -> np.ndarray:
    """Stack the planes."""
    return np.stack([image[:, :, channel] for channel in range(image.shape[2])])


def _hwc_cases() -> list[Case]:
    return [
        Case(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)),
        Case(np.arange(18, dtype=np.uint8).reshape(2, 3, 3)),
        Case(_pixels(4, 2, 3) / 255),
        Case(_pixels(3, 5, 4)),
    ]


HWC_TO_CHW = Exercise(
    name="hwc_to_chw",
    lesson="01",
    minutes=3,
    difficulty="easy",
    reference=preprocess.hwc_to_chw,
    other=_hwc_other,
    cases=_hwc_cases,
    apply=array_of,
    to_image=lambda planes: planes[0],
    mistakes=[
        Mistake(
            "reshape",
            lambda image: image.reshape(image.shape[2], *image.shape[:2]),
            "`reshape` keeps the reading order, so red, green and blue are mixed in every plane. Use "
            "`transpose`: it moves the axes.",
        ),
        Mistake(
            "height and width swapped",
            lambda image: image.T,
            "The channels are first, but each plane lies on its side: (C, W, H). Keep H before W.",
        ),
        Mistake(
            "channels reversed",
            lambda image: image.transpose(2, 0, 1)[::-1],
            "The axes are right, but the channels are in reverse order. Leave their order alone.",
        ),
        Mistake(
            "axes moved the wrong way",
            lambda image: image.transpose(1, 2, 0),
            "The axes moved the wrong way: (W, C, H). `transpose` names, for each new axis, the old one: (2, "
            "0, 1).",
        ),
        Mistake(
            "only two axes swapped",
            lambda image: image.swapaxes(1, 2),
            "You swapped the last two axes: (H, C, W). The channels go to the front: (C, H, W).",
        ),
        Mistake(
            "unchanged",
            lambda image: image.copy(),
            "The shape is still (H, W, C). Move the last axis to the front.",
        ),
        Mistake(
            "batch axis added",
            lambda image: image.transpose(2, 0, 1)[None],
            "There is a fourth axis: (1, C, H, W) is a batch. This function returns one picture, (C, H, W).",
        ),
        Mistake(
            "three channels taken for granted",
            lambda image: np.stack([image[..., 0], image[..., 1], image[..., 2]]),
            "You count on three channels, but a picture with alpha has four. Take C from the shape.",
        ),
        Mistake(
            "scaled as well",
            lambda image: image.transpose(2, 0, 1) / 255,
            "You divided by 255 as well. Only the axes move here; values and dtype stay.",
        ),
        Mistake(
            "list of planes",
            lambda image: [image[..., c] for c in range(image.shape[2])],
            "This is a list of planes. Make one array of it: `np.stack`.",
        ),
    ],
    hints=[
        "The numbers stay the same; only the order of the three axes changes.",
        "`transpose` takes, for each new axis, the number of the old one. Which old axis comes first now?",
        "The new order is channels (old 2), rows (old 0), columns (old 1):\n    return image.transpose(...)",
    ],
    note="`transpose` copies no number: it only changes the strides, by which the array is read.",
    shorter="image.transpose(2, 0, 1)",
)
