"""Faster R-CNN on a frozen map: finite losses without objects, clear errors, proposals and answers that keep their promises."""

import math

import pytest
import torch
import torch.nn.functional as F

from cvlab.detection.anchors import make_anchors
from cvlab.detection.rpn import RATIOS, SIZES, STRIDE, Rpn, propose, rpn_losses, sampled
from cvlab.detection.two_stage import BoxHead, detect, four_losses, head_targets, mirrored, train

NONE, NO_LABELS = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
ONE, LABEL = torch.tensor([[20.0, 20, 100, 90]]), torch.tensor([3])


@pytest.fixture(scope="module")
def anchors():
    return make_anchors(12, 12, STRIDE, SIZES, RATIOS)


@pytest.fixture(scope="module")
def nets():
    torch.manual_seed(0)
    return Rpn(8), BoxHead(8)


@pytest.mark.parametrize("truth", [(ONE, LABEL), (NONE, NO_LABELS)], ids=["an object", "none"])
def test_losses_and_slopes_are_finite(nets, anchors, truth):
    maps = torch.randn(2, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    losses = four_losses(*nets, maps, anchors, [truth[0], NONE], [truth[1], NO_LABELS])
    losses.sum().backward()
    assert losses.shape == (4,)
    assert losses.isfinite().all()
    slopes = [p.grad for net in nets for p in net.parameters()]
    assert all(g.isfinite().all() for g in slopes)
    assert (losses[[1, 3]] > 0).all() == bool(len(truth[0])), (
        "boxes cost something only where there are objects"
    )


def test_scores_and_offsets_stand_in_the_anchors_order(nets, anchors):
    rpn, maps = nets[0], torch.randn(1, 8, 12, 12)
    scores, offsets = rpn(maps)
    x = F.relu(rpn.look(maps))
    row, col, a = 3, 5, 7
    place = (row * 12 + col) * 9 + a
    assert scores.shape[1] == len(anchors)
    assert torch.isclose(scores[0, place], rpn.score(x)[0, a, row, col])
    assert torch.allclose(offsets[0, place], rpn.offset(x)[0, 4 * a : 4 * a + 4, row, col])
    assert anchors[place].reshape(2, 2).mean(0).tolist() == [col * STRIDE, row * STRIDE]


def test_perfect_answers_cost_nothing_and_come_back_as_proposals(anchors):
    from cvlab.detection.anchors import match_anchors
    from cvlab.detection.offsets import encode_boxes

    match = match_anchors(anchors, ONE)
    scores = torch.where(match >= 0, 30.0, -30.0)
    offsets = encode_boxes(ONE.expand(len(anchors), 4), anchors)
    which, far = rpn_losses(scores, offsets, anchors, ONE)
    assert which < 1e-6
    assert far < 1e-6
    best = propose(scores, offsets, anchors)
    assert torch.allclose(best, ONE, atol=1e-3), "all anchors point at the object: one proposal stays"


@pytest.mark.parametrize(("n", "share"), [(4, 0.5), (4, 0.0), (100, 0.5), (0, 0.5)])
def test_sample_keeps_its_share(n, share):
    match = torch.tensor([0] * 10 + [-1] * 20 + [-2] * 5)
    positive, negative = sampled(match, n, share)
    assert len(positive) == min(10, int(n * share))
    assert len(positive) + len(negative) <= n
    assert (match[positive] >= 0).all()
    assert (match[negative] == -1).all()
    assert len(set(positive.tolist())) == len(positive)


def test_proposals_lie_in_the_scene_and_none_is_a_sliver(anchors):
    torch.manual_seed(0)
    boxes = propose(torch.randn(len(anchors)), torch.randn(len(anchors), 4), anchors, n=50)
    assert len(boxes) <= 50
    assert boxes.min() >= 0
    assert boxes.max() <= 192
    assert ((boxes[:, 2:] - boxes[:, :2]) > 2).all()


def test_regions_get_their_objects_class_plus_one():
    near, far = ONE + 4, torch.tensor([[120.0, 120, 180, 180]])
    regions, classes, goals = head_targets(torch.cat([near, far]), ONE, LABEL, n=4, share=0.5)
    assert sorted(classes.tolist()) == [0, 4, 4]
    assert len(goals) == 2
    assert (regions[classes == 0] == far).all()


BAD = {
    "x0 <= x1": (torch.tensor([[50.0, 20, 10, 90]]), LABEL),
    "finite": (torch.tensor([[math.nan, 20, 100, 90]]), LABEL),
    "0 to 16": (ONE, torch.tensor([17])),
    r"labels\[0\] = -1": (ONE, torch.tensor([-1])),
    "one class a box": (ONE, torch.tensor([1, 2])),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_truths_are_named(message):
    with pytest.raises(ValueError, match=message):
        head_targets(ONE, *BAD[message])


def test_labels_that_are_no_whole_numbers():
    with pytest.raises(TypeError, match="int64"):
        head_targets(ONE, ONE, torch.tensor([3.0]))


@pytest.mark.parametrize(
    ("boxes", "message"), [(BAD["finite"][0], "finite"), (BAD["x0 <= x1"][0], "x0 <= x1")]
)
def test_rpn_refuses_bad_boxes(anchors, boxes, message):
    with pytest.raises(ValueError, match=message):
        rpn_losses(torch.zeros(len(anchors)), torch.zeros(len(anchors), 4), anchors, boxes)


def test_mirrored_twice_is_the_same():
    assert torch.equal(mirrored(mirrored(ONE, 192), 192), ONE)


def test_learns_one_scene_by_heart():
    torch.manual_seed(1)
    maps = torch.randn(1, 8, 12, 12)
    maps = maps + maps.flip(3)  # its own mirror image, as the box is
    box = torch.tensor([[56.0, 40, 136, 120]])
    rpn, head, losses = train(maps, [box], [LABEL], steps=25, rate=4e-3, batch=2)
    assert losses[-5:].sum(1).mean() < 0.5 * losses[:3].sum(1).mean()
    (found,) = detect(rpn, head, maps)
    assert found["labels"][0] == LABEL[0]
    assert (found["boxes"][0] - box[0]).abs().max() < 16
    assert (found["scores"][:-1] >= found["scores"][1:]).all()


def test_finds_nothing_when_nothing_is_above_the_least_score(nets):
    (found,) = detect(nets[0], nets[1].eval(), torch.zeros(1, 8, 12, 12), least=1.0)
    assert [tuple(found[k].shape) for k in ("boxes", "scores", "labels")] == [(0, 4), (0,), (0,)]
