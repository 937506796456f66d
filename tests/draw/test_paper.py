"""Figures with photos on a dark page: their paper is dark, their photos and everything behind them are as before."""

import numpy as np
import pytest

from cvlab import show
from cvlab.draw import paper, theme
from cvlab.draw.display import _drawn

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def light_again():
    theme()
    yield
    paper.hear("light")
    theme("off")
    plt.close("all")


def figure_with_photo():
    figure, (left, right) = plt.subplots(1, 2, figsize=(4, 2), layout="constrained")
    show(np.full((40, 60, 3), (200, 40, 46), np.uint8), title="red", ax=left)
    right.plot([0, 1], [1, 0])
    return figure


def colours_of(figure):
    texts = [text.get_color() for text in figure.findobj(plt.Text)]
    return texts, [ax.get_facecolor() for ax in figure.axes], figure.get_facecolor()


def test_a_dark_page_gets_dark_paper_and_the_same_photo():
    figure = figure_with_photo()
    white = np.asarray(_drawn(figure)).astype(int)
    before = colours_of(figure)
    paper.hear("dark")
    dark = np.asarray(_drawn(figure)).astype(int)
    assert dark.shape == white.shape
    assert white[0, 0].tolist() == [255, 255, 255]
    assert dark[0, 0].tolist() == [17, 17, 17]
    photo = (white == (200, 40, 46)).all(axis=2)
    assert photo.sum() > 1000
    assert (dark[photo] == (200, 40, 46)).all()
    fresh = figure_with_photo()  # never drawn before: its ticks are not there yet
    assert np.array_equal(np.asarray(_drawn(fresh)), dark.astype(np.uint8))
    words = dark[: np.flatnonzero(photo.any(axis=1))[0] - 4]  # the titles' rows
    assert words.max() > 200, "the title is light on dark paper"
    assert colours_of(figure) == before


def test_a_chart_keeps_white_paper_because_the_page_turns_it_over():
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1], [0, 1])
    white = np.asarray(_drawn(figure))
    paper.hear("dark")
    assert np.array_equal(np.asarray(_drawn(figure)), white)


def test_a_widget_tells_the_page():
    pytest.importorskip("ipywidgets")
    from cvlab.widgets._engine.view import PictureView

    view = PictureView(theme="light")
    view.theme = "dark"
    assert paper.paper() == paper.DARK
    view.theme = "light"
    assert paper.paper() == "white"
