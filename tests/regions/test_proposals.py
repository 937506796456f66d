"""Selective search: what it measures of regions, what it merges, what it proposes, and what it refuses."""

import numpy as np
import pytest
import torch

from cvlab.regions.proposals import (
    PARTS,
    describe_regions,
    first_regions,
    histograms,
    merge_regions,
    neighbours,
    selective_search,
    similarities,
    united,
)
from cvlab.world.scenes import make_scene


@pytest.fixture(scope="module")
def scene():
    return make_scene(3, size=96, seed=5)


@pytest.fixture(scope="module")
def started(scene):
    pixels, labels = first_regions(scene.image)
    return pixels, labels, describe_regions(pixels, labels)


def test_histograms_are_those_of_numpy(started):
    pixels, labels, _ = started
    mine = histograms(pixels, labels, 25)
    for number in range(labels.max() + 1):
        inside = pixels[labels == number]
        counts = [np.histogram(inside[:, c], 25, (0, 1))[0] for c in range(3)]
        assert np.allclose(mine[number], np.concatenate(counts) / inside.size, atol=2 / inside.size)


def test_regions_are_measured(started):
    _, labels, regions = started
    assert sum(region.size for region in regions) == labels.size
    for number, region in enumerate(regions):
        x0, y0, x1, y1 = region.box
        outside = labels.copy()
        outside[y0:y1, x0:x1] = -1
        assert number not in outside
        assert region.colour.sum() == pytest.approx(1)
        assert region.texture.sum() == pytest.approx(1)


def test_united_is_what_a_joined_map_gives(started):
    pixels, labels, regions = started
    i, j = sorted(neighbours(labels))[0]
    joined = np.where(labels == j, i, labels)
    wanted = describe_regions(pixels, (joined == i).astype(int))[1]
    mine = united(regions[i], regions[j])
    assert mine.size == wanted.size
    assert np.array_equal(mine.box, wanted.box)
    assert np.allclose(mine.colour, wanted.colour)
    assert np.allclose(mine.texture, wanted.texture)


def test_similarities_are_shares_and_do_not_mind_the_order(started):
    _, labels, regions = started
    for i, j in neighbours(labels):
        one = similarities(regions[i], regions[j], labels.size)
        assert tuple(one) == PARTS
        assert all(-1e-9 <= value <= 1 + 1e-9 for value in one.values())
        assert one == similarities(regions[j], regions[i], labels.size)


def slowly(regions, pairs, area, parts):
    """The same merges by the plain rule: look at all pairs, every time."""
    regions, pairs, merges = list(regions), {frozenset(p) for p in pairs}, []
    while pairs:

        def rank(pair):
            i, j = sorted(pair)
            four = similarities(regions[i], regions[j], area)
            return -sum(four[part] for part in parts), i, j

        i, j = sorted(min(pairs, key=rank))
        new = len(regions)
        regions.append(united(regions[i], regions[j]))
        merges.append((i, j))
        pairs = {frozenset(new if k in (i, j) else k for k in pair) for pair in pairs}
        pairs = {pair for pair in pairs if len(pair) == 2}
    return merges


@pytest.mark.parametrize("parts", [PARTS, ("colour",), ("size", "fill"), ()])
def test_merges_are_those_of_the_plain_rule(started, parts):
    _, labels, regions = started
    pairs = neighbours(labels)
    every, merges = merge_regions(regions, pairs, labels.size, parts)
    assert merges == slowly(regions, pairs, labels.size, parts)
    assert len(merges) == len(regions) - 1
    assert every[-1].size == labels.size


def test_neighbours_touch_at_an_edge_not_at_a_corner():
    assert neighbours(np.array([[0, 1], [2, 3]])) == {(0, 1), (0, 2), (1, 3), (2, 3)}


def test_proposals_are_boxes_of_the_picture_each_once(scene):
    boxes = selective_search(scene.image)
    assert boxes.dtype == torch.float32
    assert boxes[0].tolist() == [0, 0, 96, 96]
    assert len(boxes.unique(dim=0)) == len(boxes)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 96
    assert torch.equal(boxes, selective_search(scene.image))


def test_a_large_picture_is_searched_small_and_answered_large():
    image = np.zeros((128, 256, 3), np.uint8)
    image[32:96, 64:192] = 0, 200, 250
    boxes = selective_search(image)
    assert boxes[0].tolist() == [0, 0, 256, 128]
    assert (boxes - torch.tensor([64.0, 32, 192, 96])).abs().amax(dim=1).min() <= 4


def test_one_colour_gives_one_proposal():
    assert selective_search(np.full((40, 60, 3), 77, np.uint8)).tolist() == [[0, 0, 60, 40]]


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((40, 40, 3)), TypeError, "image must be uint8, 0 to 255; got float64"),
        (np.zeros((7, 40, 3), np.uint8), ValueError, "image must be at least 8 pixels high and wide; got"),
        (np.zeros((40, 40), np.uint8), ValueError, r"image must have shape \(H, W, 3\)"),
        (np.zeros((3, 40, 40), np.uint8), ValueError, "Channels first"),
        ("cat.png", TypeError, "image must be an array"),
    ],
)
def test_what_is_no_picture_is_refused(image, error, message):
    with pytest.raises(error, match=message):
        selective_search(image)


def test_unknown_similarities_are_refused():
    image = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(ValueError, match="color"):
        selective_search(image, parts=("color",))
    with pytest.raises(TypeError, match="parts must be a tuple of names; got 'fill'"):
        selective_search(image, parts="fill")
