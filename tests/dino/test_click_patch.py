"""What the widget ClickPatch says of a patch is what the network's attention says."""

import numpy as np
import pytest

from cvlab.widgets import ClickPatch
from cvlab.widgets.dino import click_patch


@pytest.fixture(scope="module")
def widget():
    return ClickPatch()


def test_strengths_and_shares_are_those_of_the_token(widget):
    _, inside, weights = click_patch._seen(1)
    for layer, number in (("first", 0), ("last", 1)):
        for asks, token in (("patch", 1 + 4 * 12 + 7), ("class token", 0)):
            values = widget.compute(picture=1, layer=layer, asks=asks, row=4, col=7)
            looks = weights[number, :, token, 1:]
            assert np.allclose(values["strength"].max(axis=1), 1)
            assert np.allclose(values["strength"] * looks.max(axis=1, keepdims=True), looks)
            assert np.allclose(values["on_thing"], (looks @ inside) / looks.sum(axis=1))


def test_the_class_token_has_no_place_and_does_no_task(widget):
    both = [widget.compute(picture=0, layer="last", asks="class token", row=r, col=3) for r in (0, 5)]
    assert np.array_equal(both[0]["strength"], both[1]["strength"])
    assert not widget.goal(both[0])


def test_some_patches_do_the_task_and_most_do_not(widget):
    done = [
        bool(widget.goal(widget.compute(picture=0, layer="last", asks="patch", row=r, col=c)))
        for r in range(12)
        for c in range(12)
    ]
    assert 3 <= sum(done) <= 40
