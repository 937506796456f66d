"""Figures in a notebook: drawn dense, shown at their size, in words, small; charts marked for the page to turn over."""

import base64
import io
from importlib import resources

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import nbformat.v4 as v4
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from cvlab import draw
from cvlab.course.execute import run_notebook
from cvlab.draw.display import alt_text, encoded, has_picture

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def themed():
    with draw.themed():
        yield
    plt.close("all")


def photo(height=300, width=400) -> np.ndarray:
    noise = RNG.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


def chart(**size):
    figure, ax = plt.subplots(layout="constrained", **size)
    ax.plot([0, 1, 4, 9])
    ax.set(title="Squares grow", xlabel="number")
    return figure


def opened(data) -> Image.Image:
    return Image.open(io.BytesIO(data))


CELLS = {
    "chart": "figure, ax = plt.subplots(figsize=(9, 3), layout='constrained')\nax.plot([1, 2])\nax.set_title('It grows');",
    "value": "figure, ax = plt.subplots(figsize=(4, 3))\nax.plot([1, 2])\nplt.close()\ndraw.describe(ax, 'It falls')\nfigure",
    "photo": "draw.show(np.random.default_rng(0).integers(0, 255, (150, 200, 3), np.uint8), title='Noise');",
    "empty": "plt.figure();",
}


@pytest.fixture(scope="module")
def outputs():
    """The outputs of cells that a kernel runs as `cvlab build` runs a lesson's."""
    first = "import numpy as np, matplotlib.pyplot as plt\nfrom cvlab import draw\ndraw.theme()"
    notebook = v4.new_notebook(cells=[v4.new_code_cell(code) for code in (first, *CELLS.values())])
    run_notebook(notebook, timeout=600)
    return dict(zip(CELLS, (cell.outputs for cell in notebook.cells[1:]), strict=True))


def test_a_chart_is_drawn_twice_as_dense_as_it_is_shown(outputs):
    (output,) = outputs["chart"]
    about = output.metadata["image/png"]
    picture = opened(base64.b64decode(output.data["image/png"]))
    assert picture.width == pytest.approx(2 * about["width"], abs=30)
    assert 880 <= about["width"] <= 900
    assert about["alt"] == "It grows"
    assert output.metadata["needs_background"] == "light"
    assert picture.mode == "P"


def test_a_figure_that_is_a_cells_value_is_shown_once_with_its_words(outputs):
    (output,) = outputs["value"]
    assert output.output_type == "execute_result"
    assert output.metadata["image/png"]["alt"] == "It falls"
    assert output.data["text/plain"] == "<Figure size 400x300 with 1 Axes>"


def test_a_photo_is_a_jpeg_that_keeps_its_colours_in_the_dark(outputs):
    (output,) = outputs["photo"]
    assert set(output.data) == {"image/jpeg", "text/plain"}
    assert output.metadata["image/jpeg"]["alt"] == "Noise"
    assert "needs_background" not in output.metadata


def test_an_empty_figure_shows_no_picture(outputs):
    assert [set(output.data) for output in outputs["empty"]] == [{"text/plain"}]


@pytest.mark.parametrize("inches", [3, 9, 14])
def test_no_figure_is_shown_wider_than_the_column(inches):
    _, data, width, height = encoded(chart(figsize=(inches, 3)))
    picture = opened(data)
    assert width <= 900
    assert picture.width <= 1830
    assert width / height == pytest.approx(picture.width / picture.height, rel=0.01)
    assert width == pytest.approx(min(900, 100 * inches), abs=30)


def test_a_palette_changes_nothing_that_is_seen():
    figure = chart(figsize=(6, 3))
    kind, data, *_ = encoded(figure)
    exact = io.BytesIO()
    figure.savefig(exact, dpi=200, bbox_inches="tight")
    a, b = (np.asarray(opened(png).convert("RGB"), int) for png in (data, exact.getvalue()))
    away = np.abs(a - b).max(axis=2)
    assert kind == "image/png"
    assert len(data) < 0.6 * len(exact.getvalue())
    assert (away > 4).mean() < 0.01


def test_a_gradient_is_not_banded():
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    grid = np.linspace(0, 1, 600)
    ax.pcolormesh(grid, grid, np.add.outer(grid, grid), cmap="viridis")
    _, data, *_ = encoded(figure)
    exact = io.BytesIO()
    figure.savefig(exact, dpi=200, bbox_inches="tight")
    a, b = (np.asarray(opened(png).convert("RGB"), int) for png in (data, exact.getvalue()))
    assert np.abs(a - b)[100:300, 200:900].max() <= 8


def test_what_is_full_of_detail_is_stored_less_dense_and_shown_as_large():
    noise = RNG.integers(0, 256, (600, 900, 3), dtype=np.uint8)
    calm, detailed = (
        encoded(draw.show(image).figure) for image in (np.full((600, 900, 3), 99, np.uint8), noise)
    )
    assert calm[2:] == detailed[2:]
    assert opened(detailed[1]).width == pytest.approx(1.5 * detailed[2], abs=2)
    assert opened(calm[1]).width == pytest.approx(2 * calm[2], abs=2)


def test_pictures_are_told_from_charts():
    assert has_picture(draw.show(photo()).figure)
    assert has_picture(draw.show(np.eye(3)).figure)
    assert not has_picture(chart())
    figure, ax = plt.subplots()
    ax.pcolormesh(np.eye(3))  # as seaborn's heatmap
    assert not has_picture(figure)


def test_a_pictures_grid_of_the_theme_is_gone():
    figure, ax = plt.subplots()
    ax.imshow(np.zeros((20, 20)), cmap="gray")
    _, data, *_ = encoded(figure)
    middle = np.asarray(opened(data).convert("L"))[100:700, 300:800]
    assert middle.max() == 0


def test_a_drawn_figure_keeps_none_of_the_big_canvas():
    figure = chart(figsize=(9, 3))
    canvas, dpi = figure.canvas, figure.dpi
    encoded(figure)
    assert (figure.canvas, figure.dpi) == (canvas, dpi)
    assert not hasattr(canvas, "renderer")
    assert {text._renderer for text in figure.findobj(Text)} == {None}


def test_alt_text_is_made_of_titles_and_labels():
    figure, (one, two) = plt.subplots(1, 2)
    figure.suptitle("Both")
    one.set(title="A line", xlabel="seconds", ylabel="loss")
    two.set(xlabel="epoch")
    assert alt_text(figure) == "Both; A line (loss against seconds); epoch"
    assert alt_text(plt.figure()) == "Figure with 0 panels"
    many, axes = plt.subplots(4, 5)
    for i, ax in enumerate(axes.ravel()):
        ax.set_title(i)
    assert alt_text(many).endswith("; 11; and 8 more")


def test_describe_takes_a_figure_or_axes():
    figure = chart()
    draw.describe(figure.axes[0], "Squares\n  grow ever faster.")
    assert alt_text(figure) == "Squares grow ever faster."
    with pytest.raises(TypeError, match="where must be a Figure or an Axes; got str"):
        draw.describe("figure", "text")
    with pytest.raises(ValueError, match="text must be a sentence; got ''"):
        draw.describe(figure, "")


def test_the_pages_sheet_turns_over_what_is_marked_and_travels_in_the_package():
    sheet = resources.files("cvlab.draw").joinpath("page.css").read_text(encoding="utf-8")
    assert "img.jp-needs-light-background" in sheet
    assert "invert(0.9333) hue-rotate(180deg)" in sheet


def test_the_turned_over_palette_can_be_read_on_a_dark_page():
    """The same arithmetic as the browser's: invert, then CSS's matrix of hue-rotate(180deg), on #111."""
    turn = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])
    page = mpl.colors.to_rgb("#111111")
    for color in (plt.rcParams["text.color"], *map(draw.readable, draw.PALETTE)):
        inverted = 0.9333 - np.array(mpl.colors.to_rgb(color)) * (2 * 0.9333 - 1)
        assert draw.contrast(np.clip(turn @ inverted, 0, 1), page) >= 4.5, color
    assert np.allclose(turn @ np.full(3, 1 - 0.9333), page, atol=0.01)
