"""The recorded trainings of lesson 05; `data/make_segmentation.py` wrote the records."""

import functools

import numpy as np

from cvlab import settings
from cvlab.segmentation.targets import label_map
from cvlab.store.records import training_record
from cvlab.world.scenes import make_scene

__all__ = ["STYLES", "WAYS", "long_run", "record", "scores", "shown_maps", "shown_scenes"]

WAYS = (  # way, skips, and how a table names it
    ("frozen", 3, "frozen encoder, 3 skips"),
    ("frozen", 0, "the same without skips"),
    ("from scratch", 3, "encoder from scratch, 3 skips"),
)
STYLES = {"seen": ("train", 5), "unseen": ("test", 1)}  # split and seed of the scenes that judge


@functools.cache
def record() -> dict:
    """Return the trainings of decoders on a frozen encoder and of one from scratch, with seeds, steps and seconds.

    Example:
        >>> record()["seconds"]
        60
    """
    return training_record("segmentation.json")


@functools.cache
def long_run() -> dict:
    """Return the training of encoder and decoder together that `data/make_segmenter.py` recorded.

    Returns:
        "steps", "seconds" of one core, "losses", "curve" (scores at some steps), "final" and "without flips".
    """
    return training_record("segmenter.json")


def scores(way: str, skips: int, style: str, task: str) -> np.ndarray:
    """Return the mIoU of every seed of one way: (S,) in [0, 1].

    Args:
        way: "frozen" or "from scratch".
        skips: levels that the decoder adds, 0 to 3.
        style: "seen", "val" or "unseen".
        task: "classes", "groups" or "things".

    Example:
        >>> bool((scores("frozen", 3, "seen", "groups") > scores("frozen", 3, "seen", "classes")).all())
        True
    """
    runs = [run for run in record()["runs"] if (run["way"], run["skips"]) == (way, skips)]
    return np.array([run[style][task] for run in runs])


@functools.cache
def shown_maps() -> np.ndarray:
    """Return what the nets of seed 0 say of eight scenes of each style: (4 numbers of skips, 2 styles, 8, 96, 96) uint8.

    Example:
        >>> shown_maps().shape
        (4, 2, 8, 96, 96)
    """
    with np.load(settings.data_dir() / "training" / "skips.npz") as file:
        return file["maps"]


@functools.cache
def shown_scenes(style: str) -> tuple[np.ndarray, np.ndarray]:
    """Return those scenes and their truth: (8, 96, 96, 3) uint8 and (8, 96, 96) int64, places in `NAMES`.

    Example:
        >>> [array.shape for array in shown_scenes("seen")]
        [(8, 96, 96, 3), (8, 96, 96)]
    """
    split, seed = STYLES[style]
    made = [make_scene(i, split=split, seed=seed) for i in range(shown_maps().shape[2])]
    return np.stack([scene.image for scene in made]), np.stack([label_map(scene) for scene in made])
