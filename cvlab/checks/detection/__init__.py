"""The exercises of lesson 06b, in the order of the notebook."""

from cvlab.checks.detection.focal import FOCAL_LOSS

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: anchors"
QUESTION = "Which mistake of a detector would cost you most, and which number would show it?"
EXERCISES = [
    FOCAL_LOSS,
]
