"""Judging without a head: the vote, the ranked mask, and errors that name the slip."""

import numpy as np
import pytest
import torch

from cvlab.dino import baselines, judging

GOOD = {
    "bank": torch.eye(4),
    "bank_labels": torch.tensor([0, 0, 1, 2]),
    "queries": torch.eye(4)[1:],
    "labels": torch.tensor([0, 1, 0]),
    "k": 1,
}


def test_the_nearest_one_decides_where_k_is_one():
    assert judging.knn_accuracy(**GOOD) == pytest.approx(2 / 3)


def test_a_near_vote_outweighs_two_far_ones():
    far = torch.tensor([[0.5, 0.75**0.5], [0.5, 0.75**0.5]])
    bank = torch.cat([torch.tensor([[1.0, 0.0]]), far])
    vote = judging.knn_accuracy(
        bank, torch.tensor([1, 0, 0]), torch.tensor([[5.0, 0.0]]), torch.tensor([1]), k=3
    )
    assert vote == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 5}, "k must be at most 4, the pictures in the bank; got 5"),
        ({"k": 0}, "k must be at least 1; got 0"),
        (
            {"bank": torch.zeros(0, 4), "bank_labels": torch.zeros(0, dtype=torch.int64)},
            "bank must have at least one picture",
        ),
        ({"bank_labels": torch.zeros(3)}, r"bank_labels must be \(4,\), one a row of bank; got \(3,\)"),
        ({"labels": torch.zeros(4)}, r"labels must be \(3,\), one a row of queries; got \(4,\)"),
        ({"bank_labels": torch.tensor([0, 1, -1, 2])}, "Leave pictures without a group out"),
        (
            {"queries": torch.full((3, 4), torch.nan)},
            "queries must be finite; row 0 is not. Did the training",
        ),
        ({"queries": torch.eye(3)}, "as many numbers a picture; got 4 and 3"),
        ({"bank": torch.zeros(4, 2, 3, 3)}, r"Pool them first: bank.mean\(\(2, 3\)\)"),
    ],
)
def test_a_vote_that_cannot_be_taken_says_why(change, message):
    with pytest.raises(ValueError, match=message):
        judging.knn_accuracy(**GOOD | change)


def test_features_are_tensors():
    with pytest.raises(TypeError, match=r"bank must be a tensor; got ndarray. torch.as_tensor"):
        judging.knn_accuracy(**GOOD | {"bank": np.eye(4)})


def test_a_place_is_the_things_when_more_than_half_of_it_is():
    masks = np.zeros((1, 24, 24), bool)
    masks[0, :2, :1] = masks[0, 2:4, :2] = True  # half of place (0, 0), all of (1, 0)
    assert judging.places(masks).nonzero().tolist() == [[0, 12]]
    with pytest.raises(ValueError, match=r"multiples of 12; got \(1, 20, 24\)"):
        judging.places(np.zeros((1, 20, 24), bool))


def test_ranked_iou_needs_no_threshold_and_leaves_empty_masks_out():
    attention = torch.tensor([[0.4, 0.3, 0.2, 0.1]] * 3)
    masks = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]], dtype=torch.bool)
    assert judging.ranked_iou(attention, masks).tolist() == pytest.approx([1, 1 / 3])
    assert torch.equal(judging.ranked_iou(attention**3, masks), judging.ranked_iou(attention, masks))
    with pytest.raises(ValueError, match=r"\(3, 5\) and \(3, 4\). Without the class token"):
        judging.ranked_iou(torch.zeros(3, 5), masks)


@pytest.fixture(scope="module")
def few():
    images = np.full((2, 192, 192, 3), 40, np.uint8)
    masks = np.zeros((2, 192, 192), bool)
    masks[0, 48:96, 48:96] = masks[1, 64:128, 96:160] = True
    images[masks] = 200
    maps = (
        torch.from_numpy(masks.reshape(2, 12, 16, 12, 16).mean((2, 4))).float()[:, None].repeat(1, 112, 1, 1)
    )
    maps, labels = maps.half() + 0.1, torch.tensor([0, 1])
    return judging.Judged(maps, labels, np.arange(2), images, maps, labels, np.arange(2), images, masks)


def test_rules_find_what_stands_out(few):
    covered = judging.places(few.masks)
    for scores in (baselines.border_color(few.images), baselines.principal_component(few.queries, few.bank)):
        assert judging.ranked_iou(scores, covered).tolist() == [1, 1]
    center = judging.ranked_iou(baselines.center_blob(2), covered)
    assert center.shape == (2,)
    assert (center < 1).all()


def test_every_baseline_is_judged_by_what_it_can_do(few):
    from cvlab.distillation.teaching import small_vit

    with pytest.raises(ValueError, match="k must be at most 2"):
        baselines.measure_baselines(few)
    with pytest.raises(ValueError, match="k must be at most 2"):
        judging.measure(small_vit(), few)
