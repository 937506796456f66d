"""The exercises of lesson 03, in the order of the notebook."""

from cvlab.checks.cnn_training.accuracy import ACCURACY
from cvlab.checks.cnn_training.formulas import CROSS_ENTROPY, SGD_MOMENTUM_STEP
from cvlab.checks.cnn_training.loop import OVERFIT, TRAIN_EPOCH
from cvlab.checks.cnn_training.parts import RESIDUAL_BLOCK, STICKER_DATASET

__all__ = ["EXERCISES"]

EXERCISES = [
    STICKER_DATASET,
    CROSS_ENTROPY,
    SGD_MOMENTUM_STEP,
    TRAIN_EPOCH,
    ACCURACY,
    OVERFIT,
    RESIDUAL_BLOCK,
]
