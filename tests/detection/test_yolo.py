"""One box a cell: targets, loss and decoding of YOLO's first version; sizes by k-means; the recorded trainings."""

import numpy as np
import pytest
import torch

from cvlab.detection import pieces
from cvlab.detection.mosaics import mosaic
from cvlab.detection.priors import k_means, shape_iou
from cvlab.detection.yolo import GridHead, grid_boxes, grid_targets, yolo_loss
from cvlab.world.scenes import make_scenes


def answered(target: torch.Tensor, classes: int = 17) -> torch.Tensor:
    """The logits that say exactly what a target asks."""
    answer = torch.full((*target.shape[:2], 5 + classes), -20.0)
    there = target[..., 0] == 1
    answer[there, 0] = 20
    answer[..., 1:5][there] = target[there][:, 1:5].clamp(1e-6, 1 - 1e-6).logit()
    answer[there, 5 + target[there][:, 5].long()] = 20
    return answer


def test_what_is_answered_exactly_is_decoded_exactly():
    for scene in make_scenes(10, size=192):
        boxes, labels = torch.from_numpy(scene.boxes), torch.from_numpy(scene.labels)
        target = grid_targets(boxes, labels, cells=24)
        (found,) = grid_boxes(answered(target)[None], overlap=1.0)
        assert len(found["boxes"]) == int(target[..., 0].sum()) == len(boxes)
        for box, label in zip(boxes, labels, strict=True):
            off = (found["boxes"] - box).abs().amax(1) + 100 * (found["labels"] != label)
            assert off.min() < 0.01
        assert yolo_loss(answered(target)[None], target[None]) < 1e-4


def test_of_two_centres_in_one_cell_the_later_stays():
    boxes = torch.tensor([[0.0, 0, 20, 20], [4, 4, 24, 24]])
    target = grid_targets(boxes, torch.tensor([3, 5]))
    assert target[..., 0].sum() == 1
    assert target[0, 0, 5] == 5


def test_a_centre_on_the_far_edge_has_a_cell():
    target = grid_targets(torch.tensor([[184.0, 184, 200, 200]]), torch.tensor([1]))
    assert target[5, 5, 1:3].tolist() == [1, 1]


def test_scenes_without_objects_have_a_finite_loss_and_no_boxes():
    empty = grid_targets(torch.zeros(0, 4), torch.zeros(0))[None]
    answer = torch.full((1, 6, 6, 22), -9.0, requires_grad=True)
    loss = yolo_loss(answer, empty)
    loss.backward()
    assert 0 <= loss < 1e-3
    assert torch.isfinite(answer.grad).all()
    assert grid_boxes(answer)[0]["boxes"].shape == (0, 4)


def test_a_head_learns_one_scene():
    torch.manual_seed(0)
    head, x = GridHead(22, width=16), (torch.randn(2, 112, 12, 12), torch.randn(2, 320, 6, 6))
    target = torch.stack(
        [grid_targets(torch.tensor([[10.0, 10, 70, 90]]), torch.tensor([k]), 12) for k in (2, 9)]
    )
    optimizer, losses = torch.optim.Adam(head.parameters(), 0.02), []
    for _ in range(30):
        losses.append(yolo_loss(head(*x), target))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize(
    ("boxes", "labels", "words"),
    [
        ([[0, 0, 1, 1]], [0], "must be a tensor.*got list.*from_numpy"),
        (torch.zeros(4), [0], r"must be a tensor \(N, 4\).*got \(4,\)"),
        (torch.zeros(2, 4), [0], "one number for each of the 2 boxes; got 1"),
        (torch.tensor([[0.0, 0, 500, 500]]), [0], "centres inside the picture, 0 to 192; got 1 of 1"),
        (torch.tensor([[torch.nan] * 4]), [0], "centres inside"),
        (torch.tensor([[9.0, 9, 1, 1]]), [0], "x0 <= x1 and y0 <= y1"),
    ],
)
def test_bad_objects_are_told(boxes, labels, words):
    with pytest.raises(ValueError, match=words):
        grid_targets(boxes, labels)


def test_k_means_fits_better_with_more():
    sizes = torch.cat([torch.from_numpy(s.boxes[:, 2:] - s.boxes[:, :2]) for s in make_scenes(40, size=192)])
    fits = [shape_iou(sizes, k_means(sizes, k)).max(1).values.mean() for k in (1, 2, 4, 8)]
    assert fits == sorted(fits)
    assert torch.equal(k_means(sizes, 3), k_means(sizes, 3))


def test_k_means_with_equal_sizes_gives_numbers():
    assert torch.equal(k_means(torch.full((6, 2), 30.0), 3), torch.full((3, 2), 30.0))


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (torch.zeros(9, 4), r"\(N, 2\).*got \(9, 4\).*Boxes"),
        (torch.zeros(9, 2), "above 0"),
        (torch.ones(3, 2), "at least 4.*k = 2; got 3"),
    ],
)
def test_k_means_says_what_is_wrong(sizes, words):
    with pytest.raises(ValueError, match=words):
        k_means(sizes, 2)


def test_records_have_every_way_with_the_same_seeds():
    for record in (pieces.yolo_record(), pieces.focal_record()):
        seeds = {}
        for run in record["runs"]:
            seeds.setdefault(run["way"], []).append(run["seed"])
        assert len({tuple(of) for of in seeds.values()}) == 1
        assert all(
            0 <= run[style]["AP"] <= run[style]["AP50"] <= 1
            for run in record["runs"]
            for style in ("seen", "unseen")
        )


def test_batches_hold_every_answer():
    logits, no, yes = pieces.batch_logits("cross-entropy", 0)
    assert len(logits) == len(no) == len(yes) == 301
    other = pieces.batch_logits("cross-entropy", 250)
    assert no.sum() + yes.sum() == other[1].sum() + other[2].sum()
    with pytest.raises(ValueError, match="no_such"):
        pieces.batch_logits("no_such", 0)
    with pytest.raises(ValueError, match="'base'"):
        pieces.scores_of(pieces.yolo_record(), "no such", "seen")


def test_a_mosaic_keeps_boxes_in_the_picture_and_its_pixels_from_the_scenes():
    scenes = make_scenes(6, size=96)
    for seed in range(20):
        image, boxes, labels = mosaic(scenes, np.random.default_rng(seed))
        assert image.shape == (96, 96, 3)
        assert ((boxes >= 0) & (boxes <= 96)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert len(labels) == len(boxes)
        corners = [image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]]
        assert all(
            (scene == corner).all(-1).any()
            for corner in corners
            for scene in [np.stack([s.image for s in scenes])]
        )
