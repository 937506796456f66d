"""The widget of the search engine: what it shows is what the gallery says."""

import pytest
import torch

from cvlab.dino.search import gallery, nearest
from cvlab.widgets import NearestThings


@pytest.fixture(scope="module")
def compute():
    widget = NearestThings()
    return lambda **state: widget.compute(**widget.state | state)


def test_the_asked_sticker_is_never_found_and_its_thing_only_where_wanted(compute):
    every, values = gallery(), compute(others=True)
    assert (every.things[values["found"]] != every.things[values["query"]]).all()
    assert values["query"] not in compute(others=False)["found"]


def test_what_is_found_is_what_is_nearest(compute):
    values, every = compute(others=False, features="the frozen maps' mean"), gallery()
    places, _ = nearest(every.features["frozen"], every.features["frozen"][values["query"]], 11)
    assert places[0] == values["query"]
    assert sorted(places[1:].tolist()) == sorted(values["found"])
    same = every.groups[values["found"]] == every.groups[values["query"]]
    assert values["same"] == same.tolist()


def test_every_thing_with_a_group_can_be_asked(compute):
    asked = {int(gallery().things[compute(thing=i)["query"]]) for i in range(0, 669, 50)}
    assert len(asked) == 14
    assert torch.unique(gallery().things).numel() == 669
