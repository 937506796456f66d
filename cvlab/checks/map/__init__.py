"""The exercises of lesson 07: from counting to COCO's mean average precision."""

from cvlab.checks.map.average import AVERAGE_PRECISION
from cvlab.checks.map.curve import PR_CURVE
from cvlab.checks.map.matching import MATCH_DETECTIONS
from cvlab.checks.map.mean import COCO_MAP
from cvlab.checks.map.overlap import IOU
from cvlab.checks.map.precision_recall import PRECISION_RECALL
from cvlab.checks.map.voc import VOC_TO_COCO

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "mAP"
QUESTION = (
    "Two detectors have the same mAP. What would you look at before you choose one of them to watch a "
    "level crossing?"
)
EXERCISES = [PRECISION_RECALL, IOU, MATCH_DETECTIONS, PR_CURVE, AVERAGE_PRECISION, COCO_MAP, VOC_TO_COCO]
