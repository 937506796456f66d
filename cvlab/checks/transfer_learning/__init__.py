"""The exercises of lesson 04, in the order of the notebook."""

from cvlab.checks.transfer_learning.adam import ADAM_STEP
from cvlab.checks.transfer_learning.freezing import FREEZE
from cvlab.checks.transfer_learning.head import REPLACE_HEAD
from cvlab.checks.transfer_learning.knn import KNN_PREDICT
from cvlab.checks.transfer_learning.mixup import MIXUP
from cvlab.checks.transfer_learning.one_cycle import ONE_CYCLE
from cvlab.checks.transfer_learning.rename_keys import RENAME_KEYS

__all__ = ["EXERCISES", "QUESTION", "TITLE"]

TITLE = "Transfer learning"
QUESTION = "Your own eight pictures a class: which would you take, and from which level would you learn?"
EXERCISES = [
    RENAME_KEYS,
    KNN_PREDICT,
    REPLACE_HEAD,
    FREEZE,
    ADAM_STEP,
    ONE_CYCLE,
    MIXUP,
]
