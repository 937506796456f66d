"""The exercises of lesson 01, in the order of the notebook."""

from cvlab.checks.preprocessing.channels import HWC_TO_CHW, TO_RGB
from cvlab.checks.preprocessing.crop import CENTER_CROP
from cvlab.checks.preprocessing.denormalize import DENORMALIZE
from cvlab.checks.preprocessing.normalize import NORMALIZE
from cvlab.checks.preprocessing.quality import PSNR
from cvlab.checks.preprocessing.resize import RESIZE_NEAREST

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Images and preprocessing"
QUESTION = (
    "Somebody hands you a trained network and one sentence: feed it pictures. What must you ask "
    "before the first picture goes in?"
)
EXERCISES = [TO_RGB, CENTER_CROP, PSNR, RESIZE_NEAREST, NORMALIZE, DENORMALIZE, HWC_TO_CHW]
