"""The exercises of lesson 02, in the order of the notebook."""

from cvlab.checks.convolutions.counts import CONV_PARAMETERS, OUTPUT_SIZE
from cvlab.checks.convolutions.depth import CONV1D_GRAD, RECEPTIVE_FIELD
from cvlab.checks.convolutions.layer import CONV_LAYER
from cvlab.checks.convolutions.pool import MAX_POOL2D
from cvlab.checks.convolutions.sliding import CORRELATE2D, MOVING_AVERAGE

__all__ = ["EXERCISES"]

EXERCISES = [
    MOVING_AVERAGE,
    CORRELATE2D,
    CONV_LAYER,
    CONV_PARAMETERS,
    OUTPUT_SIZE,
    MAX_POOL2D,
    RECEPTIVE_FIELD,
    CONV1D_GRAD,
]
