"""Scores of masks: equal to scikit-learn's, SciPy's and OpenCV's; empty masks; bad input told."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from cvlab.segmentation import metrics

NONE, ALL = np.zeros((6, 7), bool), np.ones((6, 7), bool)


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(deadline=None, max_examples=60)
def test_equal_to_scikit_learn(seed, n_classes):
    dice = np.random.default_rng(seed)
    predicted, truth = dice.integers(0, n_classes, (2, 3, 5, 4))
    theirs = confusion_matrix(truth.ravel(), predicted.ravel(), labels=range(n_classes))
    assert np.array_equal(metrics.confusion(predicted, truth, n_classes), theirs)
    occur = np.union1d(predicted, truth)
    mean = jaccard_score(truth.ravel(), predicted.ravel(), labels=occur, average="macro", zero_division=0)
    assert metrics.mean_iou(predicted, truth, n_classes) == pytest.approx(mean)
    assert metrics.mean_iou(predicted, truth, n_classes + 5) == pytest.approx(mean), (
        "absent classes change nothing"
    )


def test_ignored_pixels_count_for_nothing():
    dice = np.random.default_rng(0)
    predicted, truth = dice.integers(0, 3, (2, 8, 8))
    marked = truth.copy()
    marked[:, :3] = 255
    assert metrics.mean_iou(predicted, marked, 3) == metrics.mean_iou(predicted[:, 3:], truth[:, 3:], 3)
    assert metrics.confusion(predicted, marked.astype(np.uint8), 3).sum() == 40


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_two_masks(seed):
    a, b = np.random.default_rng(seed).random((2, 6, 7)) > 0.7
    iou, dice = metrics.mask_iou(a, b), metrics.mask_dice(a, b)
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert dice == pytest.approx(f1_score(a.ravel(), b.ravel()))
    square = np.ones((3, 3), np.uint8)
    fat = ndimage.binary_dilation(a, square, 2)
    assert np.array_equal(metrics.erode(fat), ndimage.binary_erosion(fat, square))
    theirs = cv2.erode(fat.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    assert np.array_equal(metrics.erode(fat), theirs == 1)
    rims = [mask & ~ndimage.binary_erosion(mask, square, 2) for mask in (fat, b)]
    assert metrics.boundary_iou(fat, b) == metrics.mask_iou(*rims)


def test_empty_masks_leave_nothing_to_judge():
    for score in (metrics.mask_iou, metrics.mask_dice, metrics.boundary_iou):
        assert np.isnan(score(NONE, NONE))
        assert score(NONE, ALL) == score(ALL, NONE) == 0
        assert score(ALL, ALL) == 1


@pytest.mark.parametrize(
    ("predicted", "truth", "error", "message"),
    [
        (
            np.zeros((2, 3), int),
            np.zeros((3, 2), int),
            ValueError,
            "predicted and truth must have the same shape",
        ),
        (
            np.zeros((2, 3)),
            np.zeros((2, 3), int),
            TypeError,
            "predicted must hold whole .* argmax over the classes",
        ),
        (
            np.full((2, 2), 4),
            np.zeros((2, 2), int),
            ValueError,
            "predicted must hold classes 0 to 2 .*; got 4",
        ),
        (
            np.zeros((2, 2), int),
            np.full((2, 2), 254),
            ValueError,
            "truth must hold classes 0 to 2 .*; got 254",
        ),
        (np.zeros((2, 2), int), np.full((2, 2), -1), ValueError, "truth must hold classes 0 to 2 .*; got -1"),
        (np.zeros((2, 2), int), np.full((2, 2), 255), ValueError, "at least one pixel that counts"),
        (np.zeros((0, 2), int), np.zeros((0, 2), int), ValueError, "at least one pixel that counts"),
        ("map.png", np.zeros((2, 2), int), TypeError, "predicted must be an array"),
    ],
)
def test_bad_maps_are_told(predicted, truth, error, message):
    for judge in (metrics.mean_iou, metrics.confusion):
        with pytest.raises(error, match=message):
            judge(predicted, truth, 3)


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (np.zeros((7, 6), bool), ValueError, "a and b must have the same shape"),
        (np.zeros((6, 7)), TypeError, "a must be bool; got float64. a > 0.5"),
        (np.zeros((1, 6, 7), bool), ValueError, r"a must have shape \(H, W\); got \(1, 6, 7\). A batch"),
    ],
)
def test_bad_masks_are_told(a, error, message):
    for score in (metrics.mask_iou, metrics.mask_dice):
        with pytest.raises(error, match=message):
            score(a, NONE)
