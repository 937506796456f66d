"""The one-stage detector: what each cell is to answer, the loss, the answers, and clear errors."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou, generalized_box_iou

from cvlab.detection.one_stage import Detector, OneStage, answers, boxes_at, detect, loss_of, targets
from cvlab.detection.pyramid import STRIDES, Pyramid, places
from cvlab.detection.training import found_on, levels_of, train_head
from cvlab.world.scenes import make_scenes


def boxes_of(*rows):
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


def labels_of(*classes):
    return torch.tensor(classes, dtype=torch.int64)


def test_cells_stand_on_a_regular_grid_of_each_level():
    cells = places(192)
    assert cells.shape == (576 + 144 + 36, 3)
    assert [int((cells[:, 2] == stride).sum()) for stride in STRIDES] == [576, 144, 36]
    assert cells[1].tolist() == [12, 4, 8]  # row by row: x moves first


def test_a_level_takes_objects_of_its_size():
    cells = places(192)
    for side, stride in ((20, 8), (48, 8), (49, 16), (96, 16), (97, 32), (190, 32)):
        wanted, _ = targets(boxes_of([1, 1, 1 + side, 1 + side]), labels_of(3), cells)
        assert set(cells[wanted >= 0, 2].tolist()) == {stride}, side
        assert set(wanted[wanted >= 0].tolist()) == {3}


def test_only_cells_near_the_middle_answer_and_of_two_boxes_the_smaller_is_taken():
    cells = places(192, (8,))
    both = boxes_of([0, 0, 160, 160], [64, 64, 96, 96])
    wanted, box = targets(both, labels_of(0, 1), cells)
    assert int((wanted >= 0).sum()) == 4 == int((wanted == 1).sum())
    assert box[wanted == 1].unique(dim=0).tolist() == [both[1].tolist()]
    near = (cells[wanted >= 0, :2] - 80).abs().max()
    assert near < 1.5 * 8


def test_the_loss_is_what_its_parts_say():
    torch.manual_seed(0)
    cells = places(64, (8,))
    wanted, truth = targets(boxes_of([5, 8, 41, 40]), labels_of(2), cells)
    logits, edges = torch.randn(1, 64, 5), torch.rand(1, 64, 4) * 20 + 1
    classes, boxes = loss_of(logits, edges, cells, wanted[None], truth[None])
    taken, expected, far = (wanted >= 0).nonzero()[:, 0].tolist(), 0.0, 0.0
    for p in range(64):
        box = boxes_at(cells, edges)[0, p][None]
        for k in range(5):
            target = float(box_iou(box, truth[p][None])) if wanted[p] == k else 0.0
            said = float(logits[0, p, k].sigmoid())
            cross = -(target * np.log(said) + (1 - target) * np.log(1 - said))
            expected += (target - said) ** 2 * cross
        if p in taken:
            far += 1 - float(generalized_box_iou(box, truth[p][None]))
    assert classes.item() == pytest.approx(expected / len(taken), rel=1e-4)
    assert boxes.item() == pytest.approx(far / len(taken), rel=1e-4)


def test_scenes_without_objects_give_a_finite_loss_and_finite_slopes():
    maps = [torch.randn(2, c, s, s) for c, s in zip((40, 112, 320), (8, 4, 2), strict=True)]
    net, cells = OneStage(), places(64, (8,))
    wanted, truth = targets(boxes_of(), labels_of(), cells)
    parts = loss_of(*net(maps), cells, torch.stack([wanted] * 2), torch.stack([truth] * 2))
    sum(parts).backward()
    assert torch.isfinite(sum(parts))
    assert parts[1] == 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_answers_are_sorted_cut_to_the_picture_and_free_of_doubles_in_a_class():
    cells = places(64, (8,))
    logits, edges = torch.full((1, 64, 3), -9.0), torch.full((1, 64, 4), 30.0)
    logits[0, 0, 1], logits[0, 1, 1], logits[0, 1, 2] = (
        2.0,
        3.0,
        1.0,
    )  # two of class 1 that overlap, one of class 2
    (found,) = answers(logits, edges, cells, 64)
    assert found["labels"].tolist() == [1, 2]
    assert found["scores"].diff().max() <= 0
    assert found["boxes"].min() >= 0
    assert found["boxes"].max() <= 64


def test_the_top_down_path_carries_news_down_and_its_absence_does_not():
    maps = [torch.zeros(1, c, s, s) for c, s in zip((40, 112, 320), (8, 4, 2), strict=True)]
    other = [*maps[:2], torch.randn(1, 320, 2, 2)]
    for top_down in (True, False):
        torch.manual_seed(0)
        net = Pyramid(top_down=top_down).eval()
        changed = not torch.equal(net(list(maps))[0], net(list(other))[0])
        assert changed == top_down


def test_a_head_learns_two_scenes_by_heart():
    scenes = make_scenes(2, size=64, objects=(1, 1), sizes=(50, 60))
    maps = levels_of(scenes)
    truths = [(torch.from_numpy(s.boxes), torch.from_numpy(s.labels)) for s in scenes]
    torch.manual_seed(0)
    net, losses = OneStage(width=16), []
    train_head(net, maps, truths, 60, rate=0.01, watch=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    best = [one["labels"][0].item() for one in found_on(net, maps)]
    assert best == [int(s.labels[0]) for s in scenes]


def test_the_whole_detector_answers_as_its_parts():
    net = Detector(side=64)
    image = make_scenes(1, size=64)[0].image[None]
    assert set(detect(net, image)[0]) == {"boxes", "scores", "labels"}
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    boxes, scores = net(x)
    logits, edges = net.raw(x)
    assert torch.equal(scores, logits.sigmoid())
    assert torch.equal(boxes, boxes_at(net.cells, edges))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: places(100), "side must be a multiple of 32, the coarsest stride; got 100"),
        (lambda: places(16), "multiple of 32"),
        (lambda: places(64, (16, 8)), "strides must be some of"),
        (lambda: Pyramid()([torch.zeros(1, 40, 13, 13), torch.zeros(1, 112, 7, 7), torch.zeros(1, 320, 4, 4)]),
         "maps must halve from level to level"),
        (lambda: Pyramid()([torch.zeros(1, c, 8, 8) for c in (24, 40, 112, 320)]), r"maps\[1:\]"),
        (lambda: targets(boxes_of([5, 5, 2, 9]), labels_of(1), places(64)), "x0 <= x1"),
        (lambda: targets(boxes_of([float("nan"), 5, 2, 9]), labels_of(1), places(64)), "must be finite"),
        (lambda: targets(boxes_of([1, 1, 9, 9]), labels_of(-1), places(64)), "labels must be 0 or more"),
        (lambda: targets(boxes_of([1, 1, 9, 9]), labels_of(1, 2), places(64)), "labels must be one a box"),
        (lambda: targets(boxes_of([1, 1, 9, 9]), [1], places(64)), "int64 tensor; got list"),
        (lambda: detect(Detector(side=64), np.zeros((1, 8, 8, 3), np.uint8)), "images must have shape"),
    ],
)  # fmt: skip
def test_bad_input_is_told_apart(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_label_beyond_the_classes_is_refused_by_the_loss():
    cells = places(64, (8,))
    wanted, truth = targets(boxes_of([5, 5, 45, 45]), labels_of(17), cells)
    logits, edges = torch.zeros(1, 64, 17), torch.ones(1, 64, 4)
    with pytest.raises(ValueError, match="0 to 16, or -1; got 17. Counted from 1"):
        loss_of(logits, edges, cells, wanted[None], truth[None])
    with pytest.raises(ValueError, match="one row a cell"):
        loss_of(logits[:, :9], edges, cells, wanted[None], truth[None])
    with pytest.raises(ValueError, match=r"torch\.stack"):
        loss_of(logits, edges, cells, wanted, truth)
