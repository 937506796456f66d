"""Lesson 05's upsampling explorer: every pixel it shows is torch's, and its task is done by copies only."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvlab.segmentation.growing import MODES
from cvlab.widgets import UpsamplingExplorer


@pytest.fixture(scope="module")
def widget():
    return UpsamplingExplorer()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_grown_map_is_torchs(widget, mode, align_corners, factor):
    values = widget.compute(mode, align_corners, factor, 0, 0)
    how = None if mode.startswith("nearest") else align_corners
    map_ = torch.from_numpy(widget.image.astype(float))[None, None]
    theirs = F.interpolate(map_, scale_factor=factor, mode=mode, align_corners=how)[0, 0]
    assert np.abs(values["grown"] - theirs.numpy()).max() < 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_the_products_of_any_pixel_sum_to_it(widget, mode):
    for row, col in np.ndindex(15, 15):
        values = widget.compute(mode, False, 3, row, col)
        assert (values["patch"] * values["weights"]).sum() == pytest.approx(values["grown"][row, col])
        assert values["weights"].sum() == pytest.approx(1)


def test_a_pixel_beyond_a_smaller_map_is_its_last():
    values = UpsamplingExplorer([[0, 4]], factor=2).compute("bilinear", False, 2, 23, 23)
    assert (values["row"], values["col"], values["answer"]) == (1, 3, 4)


def test_at_the_border_outside_neighbours_are_the_border_again(widget):
    values = widget.compute("bicubic", False, 2, 0, 0)
    assert values["rows"].tolist() == [-2, -1, 0, 1]
    assert (values["patch"][0] == values["patch"][2]).all()
    assert values["used"] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def done(widget, **state):
    return widget.goal(widget.compute(**(widget.state | state)))


def test_the_task_is_done_by_copies_of_inner_pixels_only(widget):
    copies = {
        (factor, align_corners): [
            (row, col)
            for row, col in np.ndindex(5 * factor, 5 * factor)
            if done(widget, factor=factor, align_corners=align_corners, row=row, col=col)
        ]
        for factor in (2, 3, 4)
        for align_corners in (False, True)
    }
    assert copies[2, False] == copies[2, True] == copies[4, False] == copies[4, True] == []
    assert copies[3, False] == [(row, col) for row in (4, 7, 10) for col in (4, 7, 10)]
    assert copies[3, True] == [(7, 7)]
    assert not done(widget, mode="nearest", factor=3, row=4, col=4)
    assert not done(widget, factor=3, row=1, col=4), "a copy, but of a pixel at the rim"


@pytest.mark.parametrize(
    ("image", "said"), [(np.zeros((7, 2)), "at most 6 x 6"), (np.zeros((2, 2, 3)), r"shape \(H, W\)")]
)
def test_bad_maps_are_named(image, said):
    with pytest.raises(ValueError, match=said):
        UpsamplingExplorer(image)
