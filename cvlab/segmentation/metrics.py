"""How good a mask is: the table of confusions, IoU, Dice, the mean over classes, and the boundary's IoU."""

import numpy as np

from cvlab import _validate

__all__ = ["boundary_iou", "confusion", "erode", "mask_dice", "mask_iou", "mean_iou"]


def _class_map(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.dtype.kind not in "iu":
        slip = ". Probabilities or logits? argmax over the classes first" if array.dtype.kind == "f" else ""
        raise TypeError(f"{name} must hold whole class numbers; got {array.dtype}{slip}")
    return array


def _fit_together(predicted, truth, n_classes, ignore) -> None:
    _validate.same_shape(predicted, truth, ("predicted", "truth"))
    seen = truth != ignore
    if not seen.any():
        raise ValueError(
            f"truth must hold at least one pixel that counts; got none that is not {ignore}: nothing to judge"
        )
    for name, labels in (("predicted", predicted[seen]), ("truth", truth[seen])):
        low, high = labels.min(), labels.max()
        if low < 0 or high >= n_classes:
            raise ValueError(
                f"{name} must hold classes 0 to {n_classes - 1} where truth is not {ignore}; got "
                f"{low if low < 0 else high}. Another number for 'ignore', or does the net have too many outputs?"
            )


def _mask(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have shape (H, W); got {array.shape}. A batch? Pass one mask: {name}[0]"
        )
    if array.dtype != bool:
        raise TypeError(f"{name} must be bool; got {array.dtype}. {name} > 0.5, or {name} == a class?")
    return array


def _two_masks(a, b, **_) -> None:
    _validate.same_shape(a, b, ("a", "b"))


def _two_answers(predicted, truth, **_) -> None:
    _validate.same_shape(predicted, truth, ("predicted", "truth"))


_MAPS = {"predicted": _class_map, "truth": _class_map, "n_classes": _validate.positive_int}


@_validate.arguments(_fit_together, **_MAPS)
def confusion(predicted, truth, n_classes: int, ignore: int = 255) -> np.ndarray:
    """Count pixels by what they are and what they are called.

    Args:
        predicted: whole numbers 0 to `n_classes` - 1, of any shape.
        truth: the same shape; pixels that hold `ignore` do not count.
        n_classes: how many classes there are, the background among them.
        ignore: the number of pixels that nobody judges.

    Returns:
        (n_classes, n_classes) int64: a row is a true class, a column an answer.

    Example:
        >>> confusion(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), 2)
        array([[1, 1],
               [0, 1]])

    Source: Long, Shelhamer, Darrell, Fully Convolutional Networks, CVPR 2015, section 5.
    """
    seen = truth != ignore
    pairs = n_classes * truth[seen].astype(np.int64) + predicted[seen]
    counts = np.bincount(pairs, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


@_validate.arguments(_fit_together, **_MAPS)
def mean_iou(predicted, truth, n_classes: int, ignore: int = 255) -> float:
    """Mean of the classes' IoU over a whole set; a class that occurs neither in answer nor truth is left out.

    Args:
        predicted: whole numbers 0 to `n_classes` - 1, of any shape, such as (N, H, W).
        truth: the same shape; pixels that hold `ignore` do not count.
        n_classes: how many classes there are, the background among them.
        ignore: the number of pixels that nobody judges.

    Returns:
        A float from 0 to 1.

    Example:
        >>> mean_iou(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), 17)
        0.5

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2015: one count over the whole set.
    """
    seen = truth != ignore
    ious = []
    for k in range(n_classes):
        called, real = (predicted == k) & seen, (truth == k) & seen
        union = (called | real).sum()
        if union > 0:
            ious.append((called & real).sum() / union)
    return float(np.mean(ious))


@_validate.arguments(_two_masks, a=_mask, b=_mask)
def mask_iou(a, b) -> float:
    """Pixels of both over pixels of either; NaN for two empty masks, which leave nothing to judge.

    Args:
        a: (H, W) bool.
        b: (H, W) bool.

    Example:
        >>> mask_iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.3333333333333333
    """
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else np.nan


@_validate.arguments(_two_masks, a=_mask, b=_mask)
def mask_dice(a, b) -> float:
    """Twice the pixels of both over the sum of the two sizes; NaN for two empty masks.

    Args:
        a: (H, W) bool.
        b: (H, W) bool.

    Example:
        >>> mask_dice(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.5

    Source: Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 1945.
    """
    total = a.sum() + b.sum()
    return float(2 * (a & b).sum() / total) if total else np.nan


@_validate.arguments(mask=_mask)
def erode(mask) -> np.ndarray:
    """Keep the pixels whose eight neighbours are in the mask too; beyond the picture's edge nothing is.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, one pixel thinner all round.

    Example:
        >>> int(erode(np.ones((3, 4), bool)).sum())
        2
    """
    h, w = mask.shape
    around = np.pad(mask, 1)  # (H + 2, W + 2)
    shifted = [around[r : r + h, c : c + w] for r in range(3) for c in range(3)]
    return np.all(shifted, axis=0)


@_validate.arguments(_two_answers, predicted=_mask, truth=_mask, width=_validate.positive_int)
def boundary_iou(predicted, truth, width: int = 2) -> float:
    """IoU of the two masks' rims only: the pixels at most `width` steps inside of the edge.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
        width: of the rim in pixels.

    Returns:
        A float from 0 to 1; NaN for two empty masks.

    Example:
        >>> square, moved = np.zeros((2, 9, 9), bool)
        >>> square[1:8, 1:8] = moved[1:8, 2:9] = True
        >>> round(mask_iou(square, moved), 2), round(boundary_iou(square, moved, 1), 2)
        (0.75, 0.33)

    Source: Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021.
    """
    rims = []
    for mask in (predicted, truth):
        inner = mask
        for _ in range(width):
            inner = erode(inner)
        rims.append(mask & ~inner)
    return mask_iou(*rims)
