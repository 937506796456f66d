"""The exercises of lesson 01, in the order of the notebook."""

from cvlab.checks.preprocessing.channels import HWC_TO_CHW, TO_RGB
from cvlab.checks.preprocessing.geometry import CENTER_CROP, RESIZE_NEAREST
from cvlab.checks.preprocessing.quality import PSNR
from cvlab.checks.preprocessing.values import DENORMALIZE, NORMALIZE

__all__ = ["EXERCISES"]

EXERCISES = [TO_RGB, RESIZE_NEAREST, NORMALIZE, DENORMALIZE, HWC_TO_CHW, CENTER_CROP, PSNR]
