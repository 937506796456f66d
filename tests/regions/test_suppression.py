"""Suppression against `torchvision.ops`, its soft kinds by hand, and what they refuse."""

import numpy as np
import pytest
import torch
from torchvision import ops

from cvlab.regions.geometry import box_iou
from cvlab.regions.suppression import batched_nms, matrix_nms, nms, soft_nms

THRESHOLDS = (0, 0.1, 0.3, 0.5, 0.7, 1)


def cases(dtype):
    """Yield 60 sets of boxes, scores and labels: none to 15 boxes, with ties, empty boxes, and all one pixel large."""
    for seed in range(60):
        dice = np.random.default_rng(seed)
        count = int(dice.integers(0, 16)) if seed else 0
        if seed % 3 == 0:  # whole pixels: equal overlaps, empty boxes, doubles
            corners = np.sort(dice.integers(0, 9, (count, 2, 2)), axis=1)
        elif seed % 3 == 1:
            corners = np.sort(dice.uniform(-20, 60, (count, 2, 2)), axis=1)
        else:  # one pixel
            corners = dice.integers(0, 4, (count, 1, 2)) + np.array([[0, 0], [1, 1]])
        scores = dice.integers(0, 5, count) / 4 if seed % 2 else dice.uniform(0, 1, count)
        labels = torch.from_numpy(dice.integers(-1, 3, count)) + 1
        yield torch.tensor(corners.reshape(-1, 4), dtype=dtype), torch.tensor(scores, dtype=dtype), labels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nms_is_that_of_torchvision_place_by_place(dtype):
    compared = 0
    for boxes, scores, labels in cases(dtype):
        for threshold in THRESHOLDS:
            assert nms(boxes, scores, threshold).equal(ops.nms(boxes, scores, threshold))
            ours = batched_nms(boxes, scores, labels, threshold)
            for (
                label
            ) in labels.unique():  # torchvision moves the classes apart, which costs float32 a few digits
                mine = (labels == label).nonzero()[:, 0]
                kept = mine[ops.nms(boxes[mine], scores[mine], threshold)]
                assert ours[labels[ours] == label].equal(kept)
            if dtype == torch.float64 and (boxes >= 0).all():  # left of the picture its classes meet again
                assert ours.equal(ops.batched_nms(boxes, scores, labels, threshold))
            compared += 1
    assert compared == 360


def test_classes_stay_apart_left_of_the_picture_too():
    boxes, labels = torch.tensor([[-10.0, 0, 0, 1], [-21, 0, -11, 1]]).double(), torch.tensor([0, 1])
    scores = torch.tensor([0.9, 0.8]).double()
    assert len(batched_nms(boxes, scores, labels)) == 2


def test_an_overlap_of_three_tenths_in_float32_is_above_three_tenths():
    boxes = torch.tensor([[0.0, 0, 10, 1], [0, 0, 3, 1]])
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.3).equal(ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.3))


def test_every_dropped_box_overlaps_a_kept_one_and_no_two_kept_ones_overlap():
    for boxes, scores, _ in cases(torch.float64):
        kept = nms(boxes, scores, 0.5)
        overlap = box_iou(boxes[kept], boxes)
        assert (overlap[:, kept].fill_diagonal_(0) <= 0.5).all()
        dropped = torch.ones(len(boxes), dtype=torch.bool)
        dropped[kept] = False
        assert (overlap[:, dropped] > 0.5).any(dim=0).all()


def test_soft_scores_on_paper():
    boxes = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 0, 30, 10]])
    kept, scores = soft_nms(boxes, torch.tensor([0.7, 0.9, 0.8]))
    assert kept.tolist() == [1, 2, 0]
    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.7 * np.exp(-(4 / 9) / 0.5)])


def test_soft_scores_never_rise_and_a_small_sigma_is_hard():
    for boxes, scores, _ in cases(torch.float64):
        kept, soft = soft_nms(boxes, scores, least=0)
        assert sorted(kept.tolist()) == list(range(len(boxes)))
        assert (soft <= scores[kept]).all()
        assert (soft.diff() <= 1e-12).all()
        hard, _ = soft_nms(boxes, scores, sigma=1e-12, least=1e-6)  # any overlap of a thousandth is enough
        expected = nms(boxes, scores, 0)
        assert hard.equal(expected[scores[expected] >= 1e-6])


def test_soft_and_matrix_leave_the_scores_given():
    boxes, scores = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]]), torch.tensor([0.5, 0.9])
    soft_nms(boxes, scores), matrix_nms(boxes, scores)
    assert scores.tolist() == [0.5, pytest.approx(0.9)]


def test_matrix_scores_are_those_of_the_papers_sum():
    for boxes, scores, _ in cases(torch.float64):
        if len(boxes) > 6:
            continue
        order = scores.argsort(descending=True, stable=True).tolist()
        expected = scores.clone()
        for place, j in enumerate(order):
            factors = [1.0]
            for k, i in enumerate(order[:place]):
                most = max([float(box_iou(boxes[[m]], boxes[[i]])) for m in order[:k]], default=0.0)
                mine = float(box_iou(boxes[[i]], boxes[[j]]))
                factors.append(np.exp(-(mine**2) / 0.5) / np.exp(-(most**2) / 0.5))
            expected[j] *= min(factors)
        assert torch.allclose(matrix_nms(boxes, scores), expected)


def test_matrix_and_soft_agree_on_two_boxes():
    boxes, scores = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10]]), torch.tensor([0.7, 0.9])
    kept, soft = soft_nms(boxes, scores)
    assert torch.allclose(matrix_nms(boxes, scores)[kept], soft)


@pytest.mark.parametrize("rule", [nms, soft_nms, matrix_nms])
def test_no_boxes_are_no_boxes(rule):
    answer = rule(torch.zeros(0, 4), torch.zeros(0))
    for part in answer if isinstance(answer, tuple) else (answer,):
        assert len(part) == 0
    assert len(batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))) == 0


BOX, SCORE = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([0.5])


@pytest.mark.parametrize(
    ("boxes", "scores", "words"),
    [
        (BOX.flip(1), SCORE, "x0 <= x1"),
        (BOX * float("nan"), SCORE, "must be finite"),
        (BOX, torch.tensor([1.5]), r"0 to 1; got scores\[0\] = 1.5. Logits\?"),
        (BOX, torch.tensor([float("nan")]), r"got scores\[0\] = nan"),
        (BOX, torch.tensor([0.5, 0.5]), r"must have shape \(1,\)"),
        (BOX, torch.tensor([[0.5, 0.5]]), "scores.max"),
    ],
)
def test_bad_boxes_and_scores_are_told(boxes, scores, words):
    for rule in (nms, soft_nms, matrix_nms):
        with pytest.raises(ValueError, match=words):
            rule(boxes, scores)


def test_bad_numbers_and_labels_are_told():
    for threshold in (-0.1, 50, float("nan")):
        with pytest.raises(ValueError, match="threshold must be an IoU"):
            nms(BOX, SCORE, threshold)
    with pytest.raises(TypeError, match="threshold must be a number; got bool"):
        nms(BOX, SCORE, True)
    with pytest.raises(ValueError, match="sigma must be above 0"):
        soft_nms(BOX, SCORE, sigma=0)
    with pytest.raises(ValueError, match="least must be a score"):
        soft_nms(BOX, SCORE, least=2)
    with pytest.raises(TypeError, match="scores must be a torch tensor; got list"):
        nms(BOX, [0.5])
    with pytest.raises(TypeError, match="scores must be floats"):
        nms(BOX, torch.tensor([1]))
    with pytest.raises(TypeError, match="whole numbers; got torch.float32"):
        batched_nms(BOX, SCORE, SCORE)
    with pytest.raises(ValueError, match=r"labels must have shape \(1,\)"):
        batched_nms(BOX, SCORE, torch.tensor([1, 2]))
