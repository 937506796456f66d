"""The exercises of lesson 06a, in the order of the notebook."""

from cvlab.checks.regions.convert import BOX_CONVERT
from cvlab.checks.regions.overlap import BOX_IOU

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: regions"
QUESTION = "Where would a window, a proposal and a map each miss something in your own pictures?"
EXERCISES = [
    BOX_CONVERT,
    BOX_IOU,
]
