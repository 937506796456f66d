"""Which exercises there are."""

import importlib

from cvlab.checks._engine.exercise import Exercise

__all__ = ["LESSONS", "exercises", "find", "names"]

# lesson -> (folder beside this one, the names of its exercises in the order of the notebook).
# Names stand here so that counting and suggesting exercises imports no lesson; a test keeps them true.
LESSONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "00": ("start_here", ("mirror", "to_batch", "slope")),
    "01": (
        "preprocessing",
        ("to_rgb", "resize_nearest", "normalize", "denormalize", "hwc_to_chw", "center_crop", "psnr"),
    ),
    "02": (
        "convolutions",
        (
            "moving_average",
            "correlate2d",
            "conv_layer",
            "conv_parameters",
            "output_size",
            "max_pool2d",
            "receptive_field",
            "conv1d_grad",
        ),
    ),
    "03": (
        "cnn_training",
        (
            "StickerDataset",
            "cross_entropy",
            "sgd_momentum_step",
            "train_epoch",
            "accuracy",
            "overfit_one_batch",
            "ResidualBlock",
        ),
    ),
    "07": (
        "map",
        (
            "precision_recall",
            "iou",
            "match_detections",
            "pr_curve",
            "average_precision",
            "coco_map",
            "voc_to_coco",
        ),
    ),
}


def names(lesson: str | None = None) -> list[str]:
    """Return the names of the exercises of one lesson, or of all.

    Example:
        >>> names("00")
        ['mirror', 'to_batch', 'slope']
    """
    if lesson is not None and lesson not in LESSONS:
        raise ValueError(f"lesson must be one of {', '.join(LESSONS)}; got {lesson!r}")
    return [name for key, (_, found) in LESSONS.items() if lesson in (None, key) for name in found]


def find(name: str) -> Exercise:
    """Return the exercise called `name`; only its own lesson's module is imported.

    Raises:
        KeyError: there is no such exercise.
    """
    for module, found in LESSONS.values():
        if name in found:
            lesson = importlib.import_module(f"cvlab.checks.{module}")
            return {exercise.name: exercise for exercise in lesson.EXERCISES}[name]
    raise KeyError(name)


def exercises(lesson: str | None = None) -> list[Exercise]:
    """Return the exercises of one lesson ("01"), or of all lessons, in the order of the notebooks."""
    return [find(name) for name in names(lesson)]
