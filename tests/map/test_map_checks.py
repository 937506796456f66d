"""The checks of lesson 07 take every right answer, whatever type of number or row it comes in."""

import numpy as np
import pytest
import torch

from cvlab import boxes
from cvlab.checks._engine import registry
from cvlab.checks._engine.grade import grade
from cvlab.map import metrics


def ints_for_zeros(tp, fp, fn):
    return [0, 0] if tp == 0 else [np.float32(tp / (tp + fp)), tp / (tp + fn)]


def iou_of_tensors(a, b):
    a, b = torch.tensor(a), torch.tensor(b)
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod()
    return sides.prod() / union if union > 0 else 0


def ties_turned_round(scores, ious, threshold=0.5):
    """Equal scores the other way round: the text leaves their order open."""
    return torch.from_numpy(metrics.match_detections(scores[::-1], ious[::-1], threshold)[::-1].copy())


def curve_of_tensors(scores, correct, n_truths):
    tp = torch.tensor(correct)[torch.tensor(-scores).argsort()].cumsum(0)
    return [tp / torch.arange(1, len(tp) + 1), tp / max(n_truths, 1)]


def curve_turned_round(scores, correct, n_truths):
    tp = np.cumsum(correct[np.argsort(scores)[::-1]])
    return tp / np.arange(1, len(tp) + 1), (tp / max(n_truths, 1)).astype(np.float32)


@pytest.mark.parametrize(
    "levels", [np.arange(0, 1.01, 0.01), [k / 100 for k in range(101)], np.linspace(0, 1, 101)]
)
def test_levels_of_recall_may_be_made_in_any_way(levels):
    def average_precision(precision, recall):
        return np.mean([precision[recall >= level].max(initial=0) for level in levels]).astype(np.float32)

    assert grade(registry.find("average_precision"), average_precision)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("precision_recall", ints_for_zeros),
        ("iou", iou_of_tensors),
        ("match_detections", ties_turned_round),
        ("pr_curve", curve_of_tensors),
        ("pr_curve", curve_turned_round),
        ("average_precision", lambda precision, recall: metrics.ap(precision, recall) if len(recall) else 0),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_right_answers_written_otherwise_pass(name, answer):
    result = grade(registry.find(name), answer)
    assert result, result


def test_iou_gives_arrays_so_that_both_ways_of_writing_work():
    for case in registry.find("iou").cases():
        assert all(type(box) is np.ndarray for box in case.args)
        assert 0 <= boxes.iou(*case.args) <= 1
