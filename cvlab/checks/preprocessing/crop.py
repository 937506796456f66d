"""Lesson 01's exercise on cropping: center_crop."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["CENTER_CROP"]


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _crop_other(image: np.ndarray, size: int) -> np.ndarray:
    """Keep the rows and columns with as many outside on either side."""
    for axis in (0, 1):
        surplus = image.shape[axis] - size
        kept = list(range(surplus // 2, image.shape[axis] - (surplus - surplus // 2)))
        image = np.take(image, kept, axis=axis)
    return image


def _crop_cases() -> list[Case]:
    return [
        Case(np.array([[1, 2, 3, 4]], np.uint8), 1),
        Case(np.arange(12, dtype=np.uint8).reshape(3, 4), 2),
        Case(np.arange(30, dtype=np.uint8).reshape(6, 5), 3),
        Case(_pixels(4, 9), 3),
        Case(_pixels(8, 5, 3), 4),
        Case(_pixels(5, 5, 3) / 255, 5),
    ]


def _cropped(corner, extra: int = 0):
    """Return a crop whose offset is `corner(side, size)`."""

    def crop(image: np.ndarray, size: int) -> np.ndarray:
        top, left = (int(corner(side, size)) for side in image.shape[:2])
        return image[top : top + size + extra, left : left + size + extra].copy()

    return crop


def _cropped_view(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def _crop_swapped(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[1] - size) // 2, (image.shape[0] - size) // 2
    return image[top : top + size, left : left + size].copy()


def _crop_both_sides(image: np.ndarray, size: int, odd: int = 0) -> np.ndarray:
    row, col, half = image.shape[0] // 2, image.shape[1] // 2, size // 2
    return image[row - half : row + half + odd, col - half : col + half + odd].copy()


def _crop_rows(image: np.ndarray, size: int) -> np.ndarray:
    top = (image.shape[0] - size) // 2
    return image[top : top + size].copy()


def _crop_one_offset(image: np.ndarray, size: int) -> np.ndarray:
    top = (image.shape[0] - size) // 2
    return image[top : top + size, top : top + size].copy()


def _crop_to_minus(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top:-top, left:-left].copy()


def _crop_to_minus_rest(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : -(height - size - top), left : -(width - size - left)].copy()


def _crop_to_side_minus(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : height - top, left : width - left].copy()


def _crop_to_size(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top:size, left:size].copy()


def _shrunk(image: np.ndarray, size: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (size, size))


CENTER_CROP = Exercise(
    name="center_crop",
    lesson="01",
    minutes=4,
    difficulty="easy",
    reference=preprocess.center_crop,
    other=_crop_other,
    cases=_crop_cases,
    apply=array_of,
    view_allowed=False,
    mistakes=[
        Mistake(
            "from the corner",
            lambda image, size: image[:size, :size].copy(),
            "You cut from the top left corner. Start at `(H - size) // 2` and `(W - size) // 2`.",
        ),
        Mistake(
            "from the bottom right",
            _cropped(lambda side, size: side - size),
            "You cut from the bottom right corner. Leave half of the surplus on each side: `(H - size) // 2`.",
        ),
        Mistake(
            "offset rounded up",
            _cropped(lambda side, size: -((size - side) // 2)),
            "Where one pixel is left over you start one too late. Round the offset down: `(H - size) // 2`.",
        ),
        Mistake(
            "one too many",
            _cropped(lambda side, size: (side - size) // 2, extra=1),
            "The crop is one pixel too large: a slice ends before its end, so stop at `top + size`.",
        ),
        Mistake(
            "one too few",
            _cropped(lambda side, size: (side - size) // 2, extra=-1),
            "The crop is one pixel too small: a slice already ends before its end, so stop at `top + size`.",
        ),
        Mistake(
            "starts one late",
            _cropped(lambda side, size: (side - size) // 2 + 1),
            "You start one pixel too late. Counting begins at 0: the offset is `(H - size) // 2`.",
        ),
        Mistake(
            "rows and columns swapped",
            _crop_swapped,
            "The offsets changed places. Rows come first, and theirs is `(H - size) // 2`; columns use W.",
        ),
        Mistake(
            "offset is half the size",
            _cropped(lambda side, size: size // 2),
            "Your offset is `size // 2`. It must be half of what is cut away: `(H - size) // 2`.",
        ),
        Mistake(
            "starts at the centre",
            _cropped(lambda side, size: side // 2),
            "Your crop starts at the centre. It must lie around it: go back by half of size.",
        ),
        Mistake(
            "centre minus half the size",
            _cropped(lambda side, size: side // 2 - size // 2),
            "`H // 2 - size // 2` rounds twice, which is one too many when H is even and size is odd. "
            "Subtract first: `(H - size) // 2`.",
        ),
        Mistake(
            "half on both sides",
            _crop_both_sides,
            "From `centre - size // 2` to `centre + size // 2` an odd size loses a pixel. Compute the start, "
            "then add size.",
        ),
        Mistake(
            "half on both sides, and one",
            lambda image, size: _crop_both_sides(image, size, odd=1),
            "From `centre - size // 2` to `centre + size // 2 + 1` an even size gets a pixel too many. "
            "Compute the start, then add size.",
        ),
        Mistake(
            "ends at minus the offset",
            _crop_to_minus,
            "`top : -top` fails where top is 0, since -0 is the beginning, and keeps a pixel too many where "
            "one is left over. End at `top + size`.",
        ),
        Mistake(
            "ends at minus what is left over",
            _crop_to_minus_rest,
            "The end of your slice becomes -0, the beginning, where nothing is cut away: the crop is empty. "
            "End at `top + size`.",
        ),
        Mistake(
            "the same cut at both ends",
            _crop_to_side_minus,
            "`top : H - top` keeps a pixel too many where one is left over. End at `top + size`: it holds "
            "size rows.",
        ),
        Mistake(
            "ends at size",
            _crop_to_size,
            "Your slice ends at size. The end is a place in the picture, counted from 0: `top + size`.",
        ),
        Mistake(
            "offset rounded to the nearest",
            _cropped(lambda side, size: round((side - size) / 2)),
            "`round` goes up or down, whichever number is even. The pixel left over stays at the bottom and "
            "right: `(H - size) // 2`.",
        ),
        Mistake(
            "the rows' offset for both",
            _crop_one_offset,
            "You start columns where you start rows. The picture may be wider than high: theirs is `(W - "
            "size) // 2`.",
        ),
        Mistake(
            "largest square",
            lambda image, size: preprocess.center_crop(image, min(image.shape[:2])),
            "size changes nothing in your answer: you cut the largest square. Cut size x size pixels.",
        ),
        Mistake(
            "view",
            _cropped_view,
            "The pixels are right, but this is a view: whoever draws on it draws on the picture. Add `.copy()`.",
        ),
        Mistake(
            "only the rows",
            _crop_rows,
            "Only the rows were cropped. Do the same with the columns: `(W - size) // 2`.",
        ),
        Mistake(
            "resizes with OpenCV",
            _shrunk,
            "`cv2.resize` shrinks the whole picture. A crop leaves its pixels alone: cut them out with a slice.",
        ),
        Mistake(
            "resizes instead",
            lambda image, size: preprocess.resize_nearest(image, size, size),
            "You shrank the whole picture. A crop keeps pixels as they are, and leaves the border out.",
        ),
    ],
    hints=[
        "How many rows are cut away in all? Half of them lie above the crop.",
        "Where does the slice end, if it holds `size` rows?\n    top = (H - size) // 2",
        "`left` is computed from W as `top` is from H:\n"
        "    return image[top : top + size, left : left + size].copy()",
    ],
    note="An odd pixel left over stays at the bottom and right.",
)
