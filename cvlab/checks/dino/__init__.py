"""The exercises of lesson 08b, in the order of the notebook."""

from cvlab.checks.dino.clusters import CLUSTER_ACCURACY
from cvlab.checks.dino.mass import MASS_MASK
from cvlab.checks.dino.overlay import ATTENTION_OVERLAY
from cvlab.checks.dino.propagate import PROPAGATE_LABELS
from cvlab.checks.dino.vote import KNN_ACCURACY

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: what it sees"
QUESTION = "What in your own pictures could play the part of the second moment?"
EXERCISES = [
    KNN_ACCURACY,
    MASS_MASK,
    ATTENTION_OVERLAY,
    PROPAGATE_LABELS,
    CLUSTER_ACCURACY,
]
