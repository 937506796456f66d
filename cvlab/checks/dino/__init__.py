"""The exercises of lesson 08b, in the order of the notebook."""

from cvlab.checks.dino.mass import MASS_MASK
from cvlab.checks.dino.overlay import ATTENTION_OVERLAY
from cvlab.checks.dino.propagate import PROPAGATE_LABELS
from cvlab.checks.dino.vote import KNN_ACCURACY

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: what it sees"
QUESTION = "Can a network learn to see objects when nobody tells it what is in the picture?"
EXERCISES = [
    KNN_ACCURACY,
    MASS_MASK,
    ATTENTION_OVERLAY,
    PROPAGATE_LABELS,
]
