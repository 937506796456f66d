"""The exercises of lesson 00, in the order of the notebook."""

from cvlab.checks.start_here.batch import TO_BATCH
from cvlab.checks.start_here.mirror import MIRROR
from cvlab.checks.start_here.slopes import SLOPE

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Start here"
QUESTION = (
    "A picture may be an array or a tensor, go from 0 to 255 or from 0 to 1, keep its colours first "
    "or last. Which of these could you mistake without seeing any error?"
)
EXERCISES = [MIRROR, TO_BATCH, SLOPE]
