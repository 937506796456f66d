"""The exercises of lesson 08b, in the order of the notebook."""

from cvlab.checks.dino.mass import MASS_MASK
from cvlab.checks.dino.overlay import ATTENTION_OVERLAY
from cvlab.checks.dino.propagate import PROPAGATE_LABELS

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: what it sees"
QUESTION = "Which part of what your network knows came from labels, and how would you find out?"
EXERCISES = [
    MASS_MASK,
    ATTENTION_OVERLAY,
    PROPAGATE_LABELS,
]
