"""The exercises of lesson 05, in the order of the notebook."""

from cvlab.checks.segmentation.unet import UNET

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Segmentation"
QUESTION = "In your own pictures, which pixels would two people label differently, and what would your metric make of them?"
EXERCISES = [
    UNET,
]
