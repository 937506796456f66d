"""The exercises of lesson 08a, in the order of the notebook."""

from cvlab.checks.distillation.multi_crop import MULTI_CROP

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: a student and its own past"
QUESTION = "What would a network learn whose two views share all but the one thing that you care about?"
EXERCISES = [
    MULTI_CROP,
]
