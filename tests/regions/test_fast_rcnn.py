"""Fast R-CNN: what a head is taught, that it learns, and that its answer is one that the judge takes."""

import pytest
import torch
from torchvision import ops

from cvlab.map.judge import judge
from cvlab.regions.fast_rcnn import FastHead, cut_grids, detect, fast_loss, fit
from cvlab.world.scenes import make_scenes


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(3, size=192, objects=(1, 2))


@pytest.fixture(scope="module")
def maps():
    return torch.randn(3, 112, 12, 12, generator=torch.Generator().manual_seed(0))


def test_background_teaches_no_edges():
    scores, labels = torch.zeros(2, 18), torch.tensor([0, 3])
    moves = torch.tensor([[9.0] * 4, [0.1] * 4])
    still = fast_loss(scores, moves, labels, torch.tensor([[0.0] * 4, [0.1] * 4]))
    assert still == pytest.approx(torch.tensor(18.0).log().item())
    assert fast_loss(scores, moves, labels, torch.zeros(2, 4)) > still


def test_the_loss_of_a_scene_without_objects_is_finite():
    loss = fast_loss(
        torch.zeros(3, 18), torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64), torch.zeros(3, 4)
    )
    assert loss.isfinite()


def test_a_head_finds_what_it_was_taught(scenes, maps):
    regions = [torch.from_numpy(scene.boxes).repeat(20, 1) for scene in scenes]
    far = torch.tensor([[0.0, 0, 12, 12], [180, 180, 192, 192]]).repeat(20, 1)
    head = fit(scenes, maps, [torch.cat([boxes, far]) for boxes in regions])
    found = detect(head, maps, regions)
    assert judge(scenes, found).numbers["AP50"] > 0.9


def test_the_same_seed_gives_the_same_head(scenes, maps):
    regions = [torch.from_numpy(scene.boxes) for scene in scenes]
    first, again, other = (fit(scenes, maps, regions, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.edges.weight, again.edges.weight)
    assert not torch.equal(first.edges.weight, other.edges.weight)


def test_a_scene_without_regions_gets_an_empty_answer(maps):
    head = FastHead().eval()
    boxes = torch.tensor([[0.0, 0, 60, 60]])
    found = detect(head, maps[:2], [torch.zeros(0, 4), boxes], least=0.0)
    assert [len(one["boxes"]) for one in found] == [0, 17]
    assert set(found[0]) == {"boxes", "scores", "labels"}
    assert found[1]["labels"].min() == 0
    assert found[1]["boxes"].max() <= 192


def test_both_cuts_are_told_the_scale(maps):
    boxes = [torch.tensor([[16.0, 16, 48, 48]])] * 3
    aligned, pooled = (cut_grids(maps, boxes, cut=cut) for cut in (ops.roi_align, ops.roi_pool))
    assert torch.equal(pooled, ops.roi_pool(maps, boxes, 5, 1 / 16))
    assert torch.equal(aligned, ops.roi_align(maps, boxes, 5, 1 / 16, 2, True))
