"""Lesson 01's exercise on bringing pixels to a common scale: normalize."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["NORMALIZE"]


_MEAN, _STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.5]


def _normalize_other(image: np.ndarray, mean, std) -> np.ndarray:
    """Go channel by channel."""
    result = np.empty_like(image)
    for channel in range(image.shape[2]):
        result[:, :, channel] = image[:, :, channel] / std[channel] - mean[channel] / std[channel]
    return result


def _normalize_cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        Case(np.array([[[0.5, 0.4, 0.3], [0.7, 0.9, 0.8]]]), _MEAN, _STD),
        Case(rng.random((2, 3, 3)), _MEAN, _STD),
        Case(rng.random((3, 4, 3), dtype=np.float32), _MEAN, _STD),
        Case(rng.random((5, 3, 3)), list(preprocess.IMAGENET_MEAN), list(preprocess.IMAGENET_STD)),
        Case(rng.random((2, 2, 3)), [0.1, 0.2, 0.3], [1.0, 1.0, 0.5]),
    ]


def _normalize_in_place(image: np.ndarray, mean, std) -> np.ndarray:
    image -= mean
    image /= std
    return image


def _only_the_last_channel(image: np.ndarray, mean, std) -> np.ndarray:
    result = image.copy()
    result[..., -1] = (image[..., -1] - mean[-1]) / std[-1]
    return result


NORMALIZE = Exercise(
    name="normalize",
    lesson="01",
    minutes=3,
    difficulty="easy",
    reference=preprocess.normalize,
    other=_normalize_other,
    cases=_normalize_cases,
    apply=array_of,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake(
            "the image's own mean and std",
            lambda image, mean, std: (image - image.mean(axis=(0, 1))) / image.std(axis=(0, 1)),
            "You used this image's own mean and std, so a dark and a bright picture come out the same. "
            "Use the mean and std that are given.",
        ),
        Mistake(
            "one own mean for all channels",
            lambda image, mean, std: (image - image.mean()) / image.std(),
            "You used the mean and std of this image, over all channels together. Use the arguments mean and std: "
            "one number a channel.",
        ),
        Mistake(
            "stretched from 0 to 1",
            lambda image, mean, std: (image - image.min()) / np.ptp(image),
            "You stretched the image from its darkest to its brightest value. Subtract mean, divide by std.",
        ),
        Mistake(
            "divides by the variance",
            lambda image, mean, std: (image - mean) / np.square(std),
            "You divided by the variance. Divide by std itself, not by its square.",
        ),
        Mistake(
            "divides by the root of std",
            lambda image, mean, std: (image - mean) / np.sqrt(std),
            "You took the root of std, but std is no variance. Divide by std itself.",
        ),
        Mistake(
            "multiplies by std",
            lambda image, mean, std: (image - mean) * std,
            "You multiplied by std. Divide by it, so that the spread becomes 1.",
        ),
        Mistake(
            "forgets the mean",
            lambda image, mean, std: image / std,
            "The mean is never subtracted, so the values do not centre on 0. Subtract it first.",
        ),
        Mistake(
            "forgets std",
            lambda image, mean, std: image - mean,
            "The mean is gone, but the spread is unchanged. Divide by std as well.",
        ),
        Mistake(
            "mean divided too early",
            lambda image, mean, std: image - np.divide(mean, std),
            "Division binds tighter than minus: only the mean was divided. Put brackets around `image - mean`.",
        ),
        Mistake(
            "one mean for all channels",
            lambda image, mean, std: (image - np.mean(mean)) / np.mean(std),
            "You used one mean and one std for all channels. Each channel has its own.",
        ),
        Mistake(
            "wrong axis",
            lambda image, mean, std: (image - np.reshape(mean, (-1, 1))) / np.reshape(std, (-1, 1)),
            "Your mean and std lie along the columns. They belong to the last axis, the channels: "
            "leave them with shape (3,).",
        ),
        Mistake(
            "axes as in torch",
            lambda image, mean, std: (image - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1)),
            "`mean[:, None, None]` is for channels first, (C, H, W). Here they are last: shape (3,) fits as "
            "it is.",
        ),
        Mistake(
            "first channel's mean and std",
            lambda image, mean, std: (image - mean[0]) / std[0],
            "All channels got the first one's mean and std. Each channel has its own: use the whole arrays.",
        ),
        Mistake(
            "only the last channel",
            _only_the_last_channel,
            "Only the last channel is normalized: each turn of your loop begins with a new copy. Copy before the loop.",
        ),
        Mistake(
            "mean subtracted last",
            lambda image, mean, std: image / std - mean,
            "You divided first, so the mean comes off on another scale. Subtract the mean, then divide by std.",
        ),
        Mistake(
            "ImageNet's mean and std",
            lambda image, mean, std: (image - preprocess.IMAGENET_MEAN) / preprocess.IMAGENET_STD,
            "You used ImageNet's numbers, whatever is asked for. Use the arguments mean and std.",
        ),
        Mistake(
            "made 0 to 255 first",
            lambda image, mean, std: (image * 255 - mean) / std,
            "You multiplied by 255 first, but mean and std are on the scale of the image, 0 to 1. Leave that out.",
        ),
        Mistake(
            "channels first",
            lambda image, mean, std: np.moveaxis((image - mean) / std, 2, 0),
            "The numbers are right, but the channels came first: (C, H, W). `np.stack` needs `axis=2`.",
        ),
        Mistake(
            "channels reversed",
            lambda image, mean, std: (image - mean[::-1]) / std[::-1],
            "Red gets blue's mean and std. Keep their order: the first belongs to channel 0.",
        ),
        Mistake(
            "mean and std swapped",
            lambda image, mean, std: (image - std) / mean,
            "mean and std changed places. Subtract mean, divide by std.",
        ),
        Mistake(
            "added the mean",
            lambda image, mean, std: (image + mean) / std,
            "You added the mean. Subtract it, so that an average pixel becomes 0.",
        ),
        Mistake(
            "divides by 255 again",
            lambda image, mean, std: (image / 255 - mean) / std,
            "The image is in [0, 1] already, and you divided by 255 once more. Leave that out.",
        ),
        Mistake(
            "whole numbers",
            lambda image, mean, std: ((image - mean) / std).astype(int),
            "The result was cut to whole numbers. Keep floats: about every value lies between -3 and 3.",
        ),
        Mistake(
            "clipped",
            lambda image, mean, std: np.clip((image - mean) / std, 0, 1),
            "You clipped to [0, 1], so everything darker than the mean is lost. "
            "Negative values are meant to be there: leave the clip out.",
        ),
        Mistake(
            "changes its input",
            _normalize_in_place,
            "`-=` and `/=` wrote into the caller's picture. Write `image - mean`, which makes a new array.",
        ),
    ],
    hints=[
        "An average pixel should become 0, and a usual distance from the average should become 1.",
        "Subtract first, then divide. `mean` has shape (3,) and fits the last axis of (H, W, 3) without a "
        "loop.",
        "The brackets matter, and both numbers come from the arguments:\n    return (image - ...) / ...",
    ],
    note="The same numbers serve training and inference: a network knows the ones it was trained with.",
    shorter="(image - mean) / std",
)
