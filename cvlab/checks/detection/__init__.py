"""The exercises of lesson 06b, in the order of the notebook."""

from cvlab.checks.detection.focal import FOCAL_LOSS

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: anchors"
QUESTION = "In your own pictures, how small is the smallest thing that must be found, and how many cells of a detector would ever see its centre?"
EXERCISES = [
    FOCAL_LOSS,
]
