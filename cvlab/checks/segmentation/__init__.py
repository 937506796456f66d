"""The exercises of lesson 05, in the order of the notebook."""

from cvlab.checks.segmentation.dice_loss import DICE_LOSS
from cvlab.checks.segmentation.growing import UPSAMPLE_BILINEAR
from cvlab.checks.segmentation.mean_iou import MEAN_IOU
from cvlab.checks.segmentation.run_lengths import RLE_DECODE, RLE_ENCODE
from cvlab.checks.segmentation.transposed import CONV_TRANSPOSE2D
from cvlab.checks.segmentation.unet import UNET
from cvlab.checks.segmentation.unpooling import MAX_UNPOOL2D

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Segmentation"
QUESTION = "In your own pictures, which pixels would two people label differently, and what would your metric make of them?"
EXERCISES = [
    RLE_ENCODE,
    RLE_DECODE,
    UPSAMPLE_BILINEAR,
    MAX_UNPOOL2D,
    CONV_TRANSPOSE2D,
    MEAN_IOU,
    DICE_LOSS,
    UNET,
]
