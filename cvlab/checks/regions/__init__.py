"""The exercises of lesson 06a, in the order of the notebook."""

from cvlab.checks.regions.aligned import ROI_ALIGN
from cvlab.checks.regions.convert import BOX_CONVERT
from cvlab.checks.regions.overlap import BOX_IOU
from cvlab.checks.regions.pooled import ROI_POOL
from cvlab.checks.regions.suppress import NMS, SOFT_NMS

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: regions"
QUESTION = "Where would a window, a proposal and a map each miss something in your own pictures?"
EXERCISES = [
    BOX_CONVERT,
    BOX_IOU,
    NMS,
    SOFT_NMS,
    ROI_POOL,
    ROI_ALIGN,
]
