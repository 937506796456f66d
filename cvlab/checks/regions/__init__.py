"""The exercises of lesson 06a, in the order of the notebook."""

from cvlab.checks.regions.convert import BOX_CONVERT
from cvlab.checks.regions.overlap import BOX_IOU

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: regions"
QUESTION = (
    "In a picture of yours, how many regions would have to be looked at before nothing in it could be missed?"
)
EXERCISES = [
    BOX_CONVERT,
    BOX_IOU,
]
