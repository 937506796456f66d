"""Lesson 01's exercises on where pixels go: resize_nearest, center_crop."""

import math

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["CENTER_CROP", "RESIZE_NEAREST"]


def _pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _resize_other(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Visit every output pixel."""
    result = np.zeros((height, width, *image.shape[2:]), image.dtype)
    for row, col in np.ndindex(height, width):
        y = math.floor((row + 0.5) * image.shape[0] / height)
        x = math.floor((col + 0.5) * image.shape[1] / width)
        result[row, col] = image[y, x]
    return result


def _resize_cases() -> list[Case]:
    return [
        Case(np.array([[1, 2, 3, 4]], np.uint8), 1, 2),
        Case(np.array([[1, 2], [3, 4]], np.uint8), 4, 4),
        Case(np.arange(12, dtype=np.uint8).reshape(3, 4), 2, 6),
        Case(_pixels(7, 5), 3, 4),
        Case(_pixels(5, 8, 3), 7, 3),
        Case(_pixels(4, 6).astype(float), 9, 5),
    ]


def _picked(rows_of, cols_of=None):
    """Return a resize that takes input row `rows_of(i, H, height)`, and columns likewise."""

    def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
        (old_height, old_width), cols = image.shape[:2], cols_of or rows_of
        y = np.asarray(rows_of(np.arange(height), old_height, height)).astype(int)
        x = np.asarray(cols(np.arange(width), old_width, width)).astype(int)
        return image[y[:, None], x]

    return resize


def _half_pixel(i: np.ndarray, old: int, new: int) -> np.ndarray:
    return (2 * i + 1) * old // (2 * new)


def _wrong_side(image: np.ndarray, height: int, width: int) -> np.ndarray:
    old_height, old_width = image.shape[:2]
    y = np.minimum(_half_pixel(np.arange(height), old_width, height), old_height - 1)
    x = np.minimum(_half_pixel(np.arange(width), old_height, width), old_width - 1)
    return image[y[:, None], x]


def _bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


RESIZE_NEAREST = Exercise(
    name="resize_nearest",
    lesson="01",
    minutes=10,
    difficulty="medium",
    reference=preprocess.resize_nearest,
    other=_resize_other,
    cases=_resize_cases,
    mistakes=[
        Mistake(
            "no half pixel",
            _picked(lambda i, old, new: i * old // new),
            "You start from pixel corners, so the picture moves up and left. Use pixel centres: "
            "floor((i + 0.5) * H / height).",
        ),
        Mistake(
            "corners aligned",
            _picked(lambda i, old, new: np.floor(i * (old - 1) / max(new - 1, 1) + 0.5)),
            "You tied the first and last pixels together (align corners). Here pixel centres count: "
            "floor((i + 0.5) * H / height).",
        ),
        Mistake(
            "rounds instead of floor",
            _picked(lambda i, old, new: np.minimum(np.round((i + 0.5) * old / new), old - 1)),
            "You rounded, which moves half of the pixels one too far. The pixel that holds the point is its floor.",
        ),
        Mistake(
            "rounds ties to even",
            _picked(lambda i, old, new: np.clip(np.round((i + 0.5) * old / new - 0.5), 0, old - 1)),
            "Halfway between two pixels np.round takes the even one. Take floor((i + 0.5) * H / height) instead.",
        ),
        Mistake(
            "ceil",
            _picked(lambda i, old, new: np.minimum(np.ceil((i + 0.5) * old / new), old - 1)),
            "You rounded up, one pixel too far. The pixel that holds the point is its floor.",
        ),
        Mistake(
            "height and width swapped",
            lambda image, height, width: preprocess.resize_nearest(image, width, height),
            "Height and width changed places. Rows come first: the result has shape (height, width).",
        ),
        Mistake(
            "rows scaled by the width",
            _wrong_side,
            "Rows are scaled by W and columns by H. Use H / height for rows, W / width for columns.",
        ),
        Mistake(
            "ratio upside down",
            _picked(lambda i, old, new: np.minimum((i + 0.5) * new / old, old - 1)),
            "The ratio is upside down. Going from output to input you multiply by H / height.",
        ),
        Mistake(
            "repeats instead of stretching",
            lambda image, height, width: np.resize(image, (height, width, *image.shape[2:])),
            "np.resize refills the shape with the numbers in reading order. Pick rows and columns by index.",
        ),
        Mistake(
            "crops or tiles",
            _picked(lambda i, old, new: i % old),
            "You took the first pixels one after the other. Stretch: output i comes from (i + 0.5) * H / height.",
        ),
        Mistake(
            "only the rows",
            lambda image, height, width: preprocess.resize_nearest(image, height, image.shape[1]),
            "Only the rows were resized. Do the same with the columns: width and W.",
        ),
        Mistake(
            "bilinear",
            _bilinear,
            "Neighbours were mixed (bilinear), which makes values that the input never had. "
            "Nearest copies one input pixel each.",
        ),
        Mistake(
            "result in floats",
            lambda image, height, width: preprocess.resize_nearest(image, height, width).astype(np.float32),
            "The pixels are right, but the dtype changed. Make the result with image.dtype, or by indexing.",
        ),
    ],
    hints=[
        "Go from output to input: for each output row, which input row lies under its centre?",
        "The centre of output row i is at i + 0.5. Times H / height it is a place in the input; its floor is the row.",
        "rows = ((np.arange(height) + 0.5) * H / height).astype(int), cols likewise; "
        "then image[rows[:, None], cols] picks the grid.",
    ],
    note="Every value is one of the input's, so masks and labels survive it.",
)


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
        return image[top : top + size + extra, left : left + size + extra]

    return crop


def _crop_swapped(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[1] - size) // 2, (image.shape[0] - size) // 2
    return image[top : top + size, left : left + size]


def _crop_both_sides(image: np.ndarray, size: int) -> np.ndarray:
    row, col, half = image.shape[0] // 2, image.shape[1] // 2, size // 2
    return image[row - half : row + half, col - half : col + half]


def _crop_rows(image: np.ndarray, size: int) -> np.ndarray:
    top = (image.shape[0] - size) // 2
    return image[top : top + size]


CENTER_CROP = Exercise(
    name="center_crop",
    lesson="01",
    minutes=6,
    difficulty="easy",
    reference=preprocess.center_crop,
    other=_crop_other,
    cases=_crop_cases,
    mistakes=[
        Mistake(
            "from the corner",
            lambda image, size: image[:size, :size],
            "You cut from the top left corner. Start at (H - size) // 2 and (W - size) // 2.",
        ),
        Mistake(
            "from the bottom right",
            _cropped(lambda side, size: side - size),
            "You cut from the bottom right corner. Leave half of the surplus on each side: (H - size) // 2.",
        ),
        Mistake(
            "offset rounded up",
            _cropped(lambda side, size: -((size - side) // 2)),
            "Where one pixel is left over you start one too late. Round the offset down: (H - size) // 2.",
        ),
        Mistake(
            "one too many",
            _cropped(lambda side, size: (side - size) // 2, extra=1),
            "The crop is one pixel too large: a slice ends before its end, so stop at top + size.",
        ),
        Mistake(
            "one too few",
            _cropped(lambda side, size: (side - size) // 2, extra=-1),
            "The crop is one pixel too small: a slice already ends before its end, so stop at top + size.",
        ),
        Mistake(
            "starts one late",
            _cropped(lambda side, size: (side - size) // 2 + 1),
            "You start one pixel too late. Counting begins at 0: the offset is (H - size) // 2.",
        ),
        Mistake(
            "rows and columns swapped",
            _crop_swapped,
            "The offsets changed places. Rows come first, and theirs is (H - size) // 2; columns use W.",
        ),
        Mistake(
            "offset is half the size",
            _cropped(lambda side, size: size // 2),
            "Your offset is size // 2. It must be half of what is cut away: (H - size) // 2.",
        ),
        Mistake(
            "starts at the centre",
            _cropped(lambda side, size: side // 2),
            "Your crop starts at the centre. It must lie around it: go back by half of size.",
        ),
        Mistake(
            "centre minus half the size",
            _cropped(lambda side, size: side // 2 - size // 2),
            "H // 2 - size // 2 rounds twice, which is one too many when H is even and size is odd. "
            "Subtract first: (H - size) // 2.",
        ),
        Mistake(
            "half on both sides",
            _crop_both_sides,
            "From centre - size // 2 to centre + size // 2 an odd size loses a pixel. "
            "Compute the start, then add size.",
        ),
        Mistake(
            "only the rows",
            _crop_rows,
            "Only the rows were cropped. Do the same with the columns: (W - size) // 2.",
        ),
        Mistake(
            "resizes instead",
            lambda image, size: preprocess.resize_nearest(image, size, size),
            "You shrank the whole picture. A crop keeps pixels as they are, and leaves the border out.",
        ),
    ],
    hints=[
        "How many rows are cut away in all? Half of them lie above the crop.",
        "The first row is (H - size) // 2. Where does the slice end, if it holds size rows?",
        "image[top : top + size, left : left + size], with left computed from W as top is from H.",
    ],
    note="An odd pixel left over stays at the bottom and right.",
)
