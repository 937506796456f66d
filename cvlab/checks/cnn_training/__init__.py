"""The exercises of lesson 03, in the order of the notebook."""

from cvlab.checks.cnn_training.accuracy import ACCURACY
from cvlab.checks.cnn_training.cross_entropy import CROSS_ENTROPY
from cvlab.checks.cnn_training.dataset import STICKER_DATASET
from cvlab.checks.cnn_training.epoch import TRAIN_EPOCH
from cvlab.checks.cnn_training.momentum import SGD_MOMENTUM_STEP
from cvlab.checks.cnn_training.overfit import OVERFIT
from cvlab.checks.cnn_training.residual import RESIDUAL_BLOCK

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Training a CNN"
QUESTION = (
    "A net is lost where its training pictures never varied. What do the pictures of your own project "
    "never vary, and how would you find out before its users do?"
)
EXERCISES = [
    STICKER_DATASET,
    CROSS_ENTROPY,
    SGD_MOMENTUM_STEP,
    TRAIN_EPOCH,
    ACCURACY,
    OVERFIT,
    RESIDUAL_BLOCK,
]
