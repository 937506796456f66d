"""The exercises of lesson 08a, in the order of the notebook."""

from cvlab.checks.distillation.dino_loss import DINO_LOSS
from cvlab.checks.distillation.ema_update import EMA_UPDATE

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: a student and its own past"
QUESTION = "A net says the same of every picture, and its loss is nearly 0. Which number would have told you?"
EXERCISES = [
    EMA_UPDATE,
    DINO_LOSS,
]
