"""Lesson 01's exercise on going back to a picture: denormalize."""

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.preprocessing import preprocess

__all__ = ["DENORMALIZE"]

_MEAN, _STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.5]


def _denormalize_other(image: np.ndarray, mean, std) -> np.ndarray:
    """Solve (x - mean) / std = image for x, channel by channel."""
    channels = [(image[..., c] + mean[c] / std[c]) * std[c] for c in range(image.shape[2])]
    return np.stack(channels, axis=-1)


def _denormalize_cases() -> list[Case]:
    rng = np.random.default_rng(1)
    return [
        Case(np.array([[[0.0, 1.0, -1.0], [2.0, 0.5, 0.0]]]), [0.5, 0.4, 0.6], [0.1, 0.2, 0.5]),
        Case(rng.normal(size=(2, 3, 3)), _MEAN, _STD),
        Case(rng.normal(size=(3, 4, 3)).astype(np.float32), _MEAN, _STD),
        Case(rng.normal(size=(5, 3, 3)) * 3, list(preprocess.IMAGENET_MEAN), list(preprocess.IMAGENET_STD)),
    ]


def _denormalize_in_place(image: np.ndarray, mean, std) -> np.ndarray:
    image *= std
    image += mean
    return image


def _only_the_last_channel(image: np.ndarray, mean, std) -> np.ndarray:
    result = image.copy()
    result[..., -1] = image[..., -1] * std[-1] + mean[-1]
    return result


DENORMALIZE = Exercise(
    name="denormalize",
    lesson="01",
    minutes=3,
    difficulty="easy",
    reference=preprocess.denormalize,
    other=_denormalize_other,
    cases=_denormalize_cases,
    apply=array_of,
    tolerance=1e-5,
    any_float=True,
    mistakes=[
        Mistake(
            "normalizes again",
            lambda image, mean, std: (image - mean) / std,
            "This is normalize once more. To undo it, do the opposite steps: multiply, then add.",
        ),
        Mistake(
            "steps in the old order",
            lambda image, mean, std: (image + mean) * std,
            "The last step must be undone first: multiply by std before you add the mean.",
        ),
        Mistake(
            "minus, then times",
            lambda image, mean, std: (image - mean) * std,
            "You kept the minus and its place. Undo the last step first, each by its opposite: times std, plus mean.",
        ),
        Mistake(
            "first channel's mean and std",
            lambda image, mean, std: image * std[0] + mean[0],
            "All channels got the first one's mean and std. Each channel has its own: use the whole arrays.",
        ),
        Mistake(
            "axes as in torch",
            lambda image, mean, std: image * np.reshape(std, (3, 1, 1)) + np.reshape(mean, (3, 1, 1)),
            "`std[:, None, None]` is for channels first, (C, H, W). Here they are last: shape (3,) fits as it is.",
        ),
        Mistake(
            "stretched from 0 to 1",
            lambda image, mean, std: (image - image.min()) / np.ptp(image),
            "You stretched the image from 0 to 1, whatever it was before. Multiply by std, add mean.",
        ),
        Mistake(
            "stretched afterwards",
            lambda image, mean, std: ((x := image * std + mean) - x.min()) / np.ptp(x),
            "The right numbers were stretched from 0 to 1 afterwards. The inverse gives back every number as it was.",
        ),
        Mistake(
            "clipped above",
            lambda image, mean, std: np.minimum(image * std + mean, 1),
            "You cut off what is above 1. The inverse must give back every number: clip only where you display.",
        ),
        Mistake(
            "forgets the mean",
            lambda image, mean, std: image * std,
            "The mean is missing, so the picture is too dark. Add it after multiplying.",
        ),
        Mistake(
            "forgets std",
            lambda image, mean, std: image + mean,
            "The spread is still that of the normalized picture. Multiply by std before adding the mean.",
        ),
        Mistake(
            "subtracts the mean",
            lambda image, mean, std: image * std - mean,
            "normalize subtracted the mean, so here you add it.",
        ),
        Mistake(
            "divides by std",
            lambda image, mean, std: image / std + mean,
            "normalize divided by std, so here you multiply by it.",
        ),
        Mistake(
            "multiplies by the variance",
            lambda image, mean, std: image * np.square(std) + mean,
            "You multiplied by the variance. Multiply by std itself.",
        ),
        Mistake(
            "mean and std swapped",
            lambda image, mean, std: image * mean + std,
            "mean and std changed places. Multiply by std, add mean.",
        ),
        Mistake(
            "only the last channel",
            _only_the_last_channel,
            "Only the last channel is undone: each turn of your loop begins with a new copy. Copy before the loop.",
        ),
        Mistake(
            "channels reversed",
            lambda image, mean, std: image * std[::-1] + mean[::-1],
            "Red gets blue's mean and std. Keep their order: the first belongs to channel 0.",
        ),
        Mistake(
            "clipped",
            lambda image, mean, std: np.clip(image * std + mean, 0, 1),
            "You clipped to [0, 1]. The inverse must give back every number: clip only where you display.",
        ),
        Mistake(
            "made 0 to 255",
            lambda image, mean, std: (image * std + mean) * 255,
            "You multiplied by 255 as well. normalize began at [0, 1], so its inverse ends there.",
        ),
        Mistake(
            "changes its input",
            _denormalize_in_place,
            "`*=` and `+=` wrote into the caller's picture. Write `image * std`, which makes a new array.",
        ),
    ],
    hints=[
        "`normalize` did two steps. Which one came last, and what undoes it?",
        "Division is undone by multiplication, subtraction by addition, and the last step comes first.",
        "First `std`, then `mean`:\n    return image * ... + ...",
    ],
    note="`denormalize(normalize(image, mean, std), mean, std)` is the image again, up to rounding.",
    shorter="image * std + mean",
)
