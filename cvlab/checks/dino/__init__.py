"""The exercises of lesson 08b, in the order of the notebook."""

from cvlab.checks.dino.vote import KNN_ACCURACY

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: what it sees"
QUESTION = "Can a network learn to see objects when nobody tells it what is in the picture?"
EXERCISES = [
    KNN_ACCURACY,
]
