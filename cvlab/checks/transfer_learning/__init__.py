"""The exercises of lesson 04, in the order of the notebook."""

from cvlab.checks.transfer_learning.example import EXAMPLE
from cvlab.checks.transfer_learning.mixup import MIXUP

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Transfer learning"
QUESTION = "What would you like to know that this lesson does not answer?"
EXERCISES = [
    EXAMPLE,
    MIXUP,
]
