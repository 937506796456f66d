"""Lesson 04's schedule designer: what its small training does, and that its task needs all three parts of a cycle."""

import numpy as np
import pytest

from cvlab.widgets import ScheduleDesigner
from cvlab.widgets.transfer_learning.schedule_designer import ENOUGH, STEPS, train


@pytest.fixture(scope="module")
def widget():
    return ScheduleDesigner()


def put(widget, levels, shape="constant"):
    """The values for seven knots at these levels."""
    base = widget.data(widget.compute(shape, 1, **{f"edit_{i}": 0 for i in range(1, 8)}))["base"]
    return widget.compute(
        shape, 1, **{f"edit_{i}": v - b for i, (v, b) in enumerate(zip(levels, base, strict=True), 1)}
    )


def last(values) -> float:
    return values["losses"][-1] if len(values["losses"]) > STEPS else np.inf


def test_the_same_rates_give_the_same_losses():
    rates = np.full(STEPS, 0.01)
    assert train(rates).shape == (STEPS + 1,)
    assert np.array_equal(train(rates), train(rates))


def test_without_noise_a_first_step_is_the_gradients(monkeypatch):
    monkeypatch.setattr(
        "cvlab.widgets.transfer_learning.schedule_designer._noise", lambda: np.zeros((STEPS, 16, 4))
    )
    steep = np.array([0.5, 2, 8, 30])
    after = 2 - 0.001 * steep * (2 + 2**3)
    losses = train(np.full(STEPS, 0.001))
    assert losses[0] == pytest.approx((steep * (2**2 / 2 + 2**4 / 4)).sum())
    assert losses[1] == pytest.approx((steep * (after**2 / 2 + after**4 / 4)).sum())


def test_no_constant_rate_does_the_task(widget):
    assert min(last(put(widget, [level] * 7)) for level in range(61)) > 2 * ENOUGH


def test_warm_up_alone_and_decay_alone_do_not_do_it(widget):
    tops = range(18, 40)
    assert min(last(put(widget, [top - 10, top - 4, *[top] * 5])) for top in tops) > 1.3 * ENOUGH
    assert min(last(put(widget, [top, top, top, top - 4, top - 10, top - 15, 0])) for top in tops) > ENOUGH


def test_every_shape_begins_unsolved_and_alive(widget):
    for shape in ("constant", "step", "cosine", "one cycle"):
        widget.set(shape=shape)
        assert 2 * ENOUGH < last(widget.values) < 1
        assert "○ Task not done yet" in widget.readout
    widget.reset()


def test_a_new_shape_starts_without_the_old_edits(widget):
    widget.set(edit_3=5)
    widget._controls["shape"].value = "cosine"
    assert widget.state["edit_3"] == 0
    widget.reset()


def test_a_run_that_runs_away_is_told_in_words(widget):
    widget.set(**{f"edit_{i}": 30 for i in range(1, 8)})
    assert "grows without end, from step" in widget.readout
    assert "inf" not in widget.readout
    assert "nan" not in widget.readout
    assert max(map(len, widget.readout.splitlines())) < 60
    widget.reset()


def test_a_late_runaway_leaves_room_for_its_words(widget):
    late = put(widget, [10, 22, 26, 26, 26, 30, 60])
    assert STEPS / 2 < len(late["losses"]) <= STEPS
    right = widget.draw(late)[:, -40:]
    assert (right[40:120] > 200).all(), "nothing is cut off at the edge"
