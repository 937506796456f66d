"""The exercises of lesson 06b, in the order of the notebook."""

from cvlab.checks.detection.focal import FOCAL_LOSS
from cvlab.checks.detection.make_anchors import MAKE_ANCHORS
from cvlab.checks.detection.match_anchors import MATCH_ANCHORS
from cvlab.checks.detection.offsets import DECODE_BOXES, ENCODE_BOXES

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Detection: anchors"
QUESTION = "Which mistake of a detector would cost you most, and which number would show it?"
EXERCISES = [
    MAKE_ANCHORS,
    MATCH_ANCHORS,
    ENCODE_BOXES,
    DECODE_BOXES,
    FOCAL_LOSS,
]
