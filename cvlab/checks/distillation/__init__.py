"""The exercises of lesson 08a, in the order of the notebook."""

from cvlab.checks.distillation.attention import ATTENTION
from cvlab.checks.distillation.dino_loss import DINO_LOSS
from cvlab.checks.distillation.ema_update import EMA_UPDATE
from cvlab.checks.distillation.multi_crop import MULTI_CROP
from cvlab.checks.distillation.patchify import PATCHIFY

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "DINO: a student and its own past"
QUESTION = "Which two views of your own pictures share only what you want a network to learn?"
EXERCISES = [
    PATCHIFY,
    ATTENTION,
    MULTI_CROP,
    EMA_UPDATE,
    DINO_LOSS,
]
