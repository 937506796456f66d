"""The functions of lesson 01: against libraries, their invariants, and what they say about bad input."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from cvlab.preprocessing import preprocess
from cvlab.preprocessing.preprocess import (
    center_crop,
    denormalize,
    hwc_to_chw,
    normalize,
    psnr,
    resize_bilinear,
    resize_nearest,
    resize_weights,
    to_rgb,
)

sides = st.integers(1, 12)
pictures = st.tuples(sides, sides).flatmap(lambda s: arrays(np.uint8, (*s, 3)))


@given(pictures)
def test_to_rgb_is_opencv_and_its_own_inverse(image):
    before = image.copy()
    assert np.array_equal(to_rgb(image), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    assert np.array_equal(to_rgb(to_rgb(image)), image)
    assert np.array_equal(image, before)
    assert not np.shares_memory(to_rgb(image), image)


@given(pictures, sides, sides)
def test_resize_nearest_is_pillow_and_opencv_exact(image, height, width):
    for old, new in zip(image.shape, (height, width), strict=False):
        # A centre exactly on a border is a tie that libraries break by their rounding; ours goes right.
        assume(all((2 * i + 1) * old % (2 * new) for i in range(new)))
    ours = resize_nearest(image, height, width)
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST))
    exact = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(ours, exact)


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_resize_weights_are_averages(old, new, antialias):
    weights = resize_weights(old, new, antialias)
    assert weights.shape == (new, old)
    assert (weights >= 0).all()
    assert np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(weights, weights[::-1, ::-1])  # a mirrored row gives a mirrored result
    if new <= old and antialias:
        assert (weights.sum(axis=0) > 0).all()  # every old pixel counts


@given(pictures, sides, sides)
def test_resize_bilinear_is_opencv_without_and_pillow_with_antialiasing(image, height, width):
    image = image.astype(np.float32)
    plain = resize_bilinear(image, height, width, antialias=False)
    theirs = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.allclose(plain, theirs.reshape(plain.shape), atol=1e-2)
    planes = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(3)]
    pillow = [np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    assert np.allclose(resize_bilinear(image, height, width), np.stack(pillow, axis=2), atol=1e-2)


@given(arrays(np.float64, (3, 4, 3), elements=st.floats(0, 1)), st.floats(0, 1), st.floats(0.01, 2))
def test_denormalize_undoes_normalize(image, mean, std):
    there = normalize(image, [mean] * 3, [std] * 3)
    assert np.allclose(denormalize(there, [mean] * 3, [std] * 3), image, atol=1e-9)


def test_normalize_is_torchvision():
    from torchvision.transforms.v2 import Normalize

    image = np.random.default_rng(0).random((5, 6, 3), dtype=np.float32)
    mean, std = preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD
    theirs = Normalize(mean, std)(torch.from_numpy(hwc_to_chw(image).copy()))
    assert np.allclose(hwc_to_chw(normalize(image, mean, std)), theirs, atol=1e-6)


@given(pictures, st.data())
def test_center_crop_is_the_middle(image, data):
    size = data.draw(st.integers(1, min(image.shape[:2])))
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    crop = center_crop(image, size)
    assert crop.shape == (size, size, 3)
    assert np.array_equal(crop[0, 0], image[top, left])
    assert not np.shares_memory(crop, image)


@given(arrays(np.uint8, (4, 5)), arrays(np.uint8, (4, 5)))
def test_psnr_is_skimage_and_symmetric(a, b):
    assert psnr(a, b) == psnr(b, a)
    if np.array_equal(a, b):
        assert psnr(a, b) == float("inf")
    else:
        assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b))


def test_hwc_to_chw_moves_every_number_to_its_place():
    image = np.arange(24).reshape(2, 3, 4)
    out = hwc_to_chw(image)
    assert all(out[c, y, x] == image[y, x, c] for y, x, c in np.ndindex(2, 3, 4))


IMAGE = np.zeros((4, 6, 3))
MESSAGES = [
    (
        lambda: to_rgb(np.zeros((4, 6))),
        r"image_bgr must have shape \(H, W, 3\); got \(4, 6\). A grey picture",
    ),
    (lambda: to_rgb(np.zeros((3, 40, 60))), "Channels first"),
    (lambda: to_rgb(np.zeros((4, 6, 4))), "An alpha channel"),
    (lambda: to_rgb(np.zeros((2, 4, 6, 3))), "A batch"),
    (lambda: to_rgb("cat.jpg"), "Load it first"),
    (lambda: to_rgb(None), "image_bgr must be an array of numbers; got NoneType"),
    (lambda: to_rgb(np.zeros((0, 6, 3))), "at least one pixel"),
    (lambda: to_rgb([[1, 2], [3]]), "rows of different lengths"),
    (lambda: resize_nearest(IMAGE, 0, 3), "height must be at least 1; got 0"),
    (lambda: resize_nearest(IMAGE, 3, 2.5), r"width must be a whole number; got 2.5. Round it first"),
    (lambda: resize_nearest(IMAGE, True, 3), "height must be a whole number; got True"),
    (lambda: resize_bilinear(np.zeros((4, 6)), 2, 2), "A grey picture"),
    (
        lambda: normalize(np.zeros((4, 6, 3), np.uint8), 0, 1),
        "image must hold floats; got uint8. Divide by 255",
    ),
    (
        lambda: normalize(IMAGE, [0, 0], [1, 1, 1]),
        r"mean must hold one number per channel, shape \(3,\); got \(2,\)",
    ),
    (lambda: normalize(IMAGE, 0, [1, 0, 1]), "std must be above 0"),
    (lambda: normalize(IMAGE, [np.nan] * 3, 1), "mean must be finite"),
    (lambda: denormalize(np.zeros((4, 6)), 0, 1), "A grey picture"),
    (lambda: hwc_to_chw(np.zeros((4, 6))), r"image must have shape \(H, W, C\)"),
    (lambda: center_crop(IMAGE, 5), "size must be at most 4, the shorter side of 4 x 6; got 5"),
    (lambda: psnr(IMAGE, IMAGE[:2]), r"a and b must have the same shape; got \(4, 6, 3\) and \(2, 6, 3\)"),
    (lambda: psnr(IMAGE, IMAGE, 0), "peak must be above 0"),
    (lambda: psnr(np.zeros(0), np.zeros(0)), "at least one pixel"),
]


@pytest.mark.parametrize(("call", "text"), MESSAGES)
def test_bad_input_gets_a_clear_error(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4), (5, 4, 12)])
def test_any_kind_of_picture_keeps_its_dtype(dtype, shape):
    image = np.ones(shape, dtype)
    assert resize_nearest(image, 7, 3).dtype == dtype
    assert resize_nearest(image, 7, 3).shape == (7, 3, *shape[2:])
    assert center_crop(image, 1).shape == (1, 1, *shape[2:])
