"""The exercises of lesson 02, in the order of the notebook."""

from cvlab.checks.convolutions.average import MOVING_AVERAGE
from cvlab.checks.convolutions.correlate import CORRELATE2D
from cvlab.checks.convolutions.counts import CONV_PARAMETERS, OUTPUT_SIZE
from cvlab.checks.convolutions.gradient import CONV1D_GRAD
from cvlab.checks.convolutions.layer import CONV_LAYER
from cvlab.checks.convolutions.pool import MAX_POOL2D
from cvlab.checks.convolutions.receptive import RECEPTIVE_FIELD

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Convolutions"
QUESTION = (
    "Somebody chose the nine numbers of each kernel that you used. How could a computer find good "
    "ones by itself, and how would it know that they are good?"
)
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
