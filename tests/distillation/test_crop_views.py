"""The crop of lesson 08a: the background agrees, the fish does not; a crop stays inside the picture."""

import pytest

from cvlab.widgets import CropViews


@pytest.fixture(scope="module")
def widget():
    return CropViews()


def test_the_whole_picture_agrees_with_itself(widget):
    values = widget.compute(192, 0, 0)
    assert values["alike"][0] == pytest.approx(1, abs=2e-3)
    assert values["share"] == 1
    assert values["alike"][2] > values["alike"][1] + 0.3, (
        "a rocket before the cup is nearer than the fish elsewhere"
    )


def test_a_crop_of_the_fish_agrees_most_with_the_fish_elsewhere(widget):
    values = widget.compute(64, 48, 24)
    assert values["fish"] > 0.8
    assert values["alike"].argmax() == 1


def test_a_crop_that_passes_shows_mostly_background(widget):
    passed = [
        values
        for size in (56, 64)
        for x in range(0, 192 - size + 1, 16)
        for y in range(0, 192 - size + 1, 16)
        if widget.goal(values := widget.compute(size, x, y))
    ]
    assert len(passed) >= 5
    assert max(values["fish"] for values in passed) < 0.5


def test_a_crop_stays_inside(widget):
    assert widget.compute(180, 160, 160)["box"] == (12, 12, 180)
