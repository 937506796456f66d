"""Lesson 04: what its widget computes."""

from cvlab.widgets import TransferLearningExample


def test_the_brightest_row_is_the_goal():
    widget = TransferLearningExample()
    means = widget.compute(row=0)["means"]
    assert means.shape == (8,)
    done = [row for row in range(8) if widget.goal(widget.compute(row=row))]
    assert done == [int(means.argmax())]
