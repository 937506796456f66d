"""The exercises of lesson 08a, in the notebook's order."""

from cvlab.checks.distillation.attention import ATTENTION
from cvlab.checks.distillation.patchify import PATCHIFY

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: a student and its own past"
QUESTION = "Which two views of one thing would teach a network the most, and which nothing at all?"
EXERCISES = [
    PATCHIFY,
    ATTENTION,
]
