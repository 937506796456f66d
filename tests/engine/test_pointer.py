"""A canvas and its Python: whose word counts when a move of the page comes late."""

import ipywidgets
import numpy as np
import pytest

from cvlab.widgets import PointerWidget


class Dots(PointerWidget):
    """Two numbers, one moved on the canvas, one by a slider."""

    scene = "{}"

    def controls(self):
        hidden = ipywidgets.IntSlider(100, 0, 200, description="x", layout={"display": "none"})
        return {"x": hidden, "y": ipywidgets.IntSlider(5, 0, 9, description="y")}

    def compute(self, x, y):
        return {"x": x, "y": y}

    def draw(self, values):
        return np.full((20, 20, 3), 255, np.uint8)

    def text(self, values):
        return f"x: {values['x']}\ny: {values['y']}"


def say(widget, turn: int | None = None, **state) -> None:
    """Send what the page sends after a move that began at a turn, the present one if none is given."""
    turn = widget.canvas.turn if turn is None else turn
    widget.canvas.set_state({"state": widget.state | state, "based": turn})


def test_moves_of_the_page_are_taken_one_after_the_other():
    widget = Dots()
    begun = widget.canvas.turn
    for x in (7, 8, 9):
        say(widget, begun, x=x)  # the page knows of no answer yet
        assert widget.state == {"x": x, "y": 5}
    assert widget.canvas.turn == begun


@pytest.mark.parametrize(
    "own",
    [
        lambda widget: widget.reset(),
        lambda widget: widget.set(y=2),
        lambda widget: setattr(widget._controls["y"], "value", 2),
    ],
    ids=["reset", "set", "slider"],
)
def test_a_move_from_before_what_python_did_comes_too_late(own):
    widget = Dots()
    say(widget, x=7, y=8)
    begun = widget.canvas.turn
    own(widget)
    expected = dict(widget.state)
    say(widget, begun, x=9, y=8)  # held back meanwhile, with the old y
    assert widget.state == widget.canvas.state == expected
    say(widget, x=11)
    assert widget.state == expected | {"x": 11}


def test_a_refused_move_is_told_and_the_next_one_is_taken():
    widget = Dots()
    widget.strict = False
    say(widget, x=1000)
    assert "⚠" in widget.canvas.said
    assert widget.canvas.state == {"x": 100, "y": 5}
    say(widget, x=3)
    assert widget.state == {"x": 3, "y": 5}
