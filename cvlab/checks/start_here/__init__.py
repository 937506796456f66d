"""The exercises of lesson 00, in the order of the notebook."""

from cvlab.checks.start_here.slopes import SLOPE
from cvlab.checks.start_here.tensors import MIRROR, TO_BATCH

__all__ = ["EXERCISES"]

EXERCISES = [MIRROR, TO_BATCH, SLOPE]
