"""Saved figures are compared by what a person sees: a changed figure fails, one stored in another way does not."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from support.sealed import run_nbval

from cvlab import draw
from cvlab.course import likeness
from cvlab.course.likeness import differences
from cvlab.draw.display import encoded

CODE = """import matplotlib.pyplot as plt
figure, ax = plt.subplots(figsize=(5, 3))
ax.plot([0, 1, 4, 9], color="C0", label="ours")
ax.set(title="Squares grow", xlabel="number")
ax.legend();"""
CHANGES = {
    "another title": CODE.replace("grow", "fall"),
    "one number": CODE.replace("4, 9", "4, 8"),
    "a colour": CODE.replace("C0", "C3"),
    "no legend": CODE.replace("ax.legend();", ""),
    "another size": CODE.replace("(5, 3)", "(5, 4)"),
}


def figure(code: str, **options) -> list:
    """Run `code` here, and return its figure as a cell's outputs."""
    exec(code, {})
    stream = io.BytesIO()
    plt.savefig(stream, dpi=80)
    plt.close("all")
    return [output(Image.open(stream), **options)]


def dense(code: str) -> list:
    """Run `code` here, and return its figure as a cell that draws with `cvlab.draw` has it: twice as dense as shown."""
    with draw.themed():
        exec(code, {})
        kind, data, width, height = encoded(plt.gcf())
    plt.close("all")
    return [
        {
            "data": {kind: base64.b64encode(data).decode()},
            "metadata": {kind: {"width": width, "height": height}},
        }
    ]


def output(picture, kind="png", **options) -> dict:
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, kind, **options)
    return {"data": {f"image/{kind}": base64.b64encode(stream.getvalue()).decode()}}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change):
    (found,) = differences(figure(CODE), figure(CHANGES[change]))
    assert found.startswith("figure 1: ")


@pytest.mark.parametrize("change", [*CHANGES, "one letter"])
def test_a_change_is_seen_in_a_dense_figure(change):
    changed = CHANGES.get(change, CODE.replace("Squares", "Sqvares"))
    (found,) = differences(dense(CODE), dense(changed))
    assert found.startswith("figure 1: ")
    assert differences(dense(CODE), dense(CODE)) == []


def test_a_dense_figure_is_compared_as_large_as_it_is_shown():
    (pixels,), (saved,) = likeness._pictures(dense(CODE)), dense(CODE)
    assert abs(pixels.shape[1] - saved["metadata"]["image/png"]["width"]) <= 1


def test_what_nobody_sees_is_not_a_change():
    saved, again = figure(CODE), figure(CODE, compress_level=1)
    assert saved != again
    assert differences(saved, again) == []
    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(saved[0]["data"]["image/png"]))).convert("RGB")
    )
    nearly = np.clip(pixels.astype(int) + np.random.default_rng(0).integers(-2, 3, pixels.shape), 0, 255)
    assert differences(saved, [output(Image.fromarray(nearly.astype(np.uint8)))]) == []


def test_transparent_paper_is_white():
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    stream = io.BytesIO()
    clear.save(stream, "png")
    saved = [{"data": {"image/png": base64.b64encode(stream.getvalue()).decode()}}]
    assert differences(saved, [output(Image.new("RGB", (40, 40), "white"))]) == []
    assert differences(saved, [output(Image.new("RGB", (40, 40), "black"))]) != []


def test_jpeg_and_missing_figures():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    fine = output(photo, kind="jpeg", quality=95)
    assert differences([fine], [output(photo, kind="jpeg", quality=94)]) == []
    assert differences([fine], [output(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), kind="jpeg")])
    assert differences([fine, fine], [fine]) == ["2 figures were saved, this run shows 1"]
    assert differences([{"text": "a stream"}], []) == []


@pytest.mark.slow
def test_nbval_notices_a_changed_figure(tmp_path):
    """As in test_notebooks.py: the same cell, saved with its own figure and with another one."""
    kinds = {"kept": "grow", "changed": "fall"}
    cells = []
    for n, word in enumerate(kinds.values(), 1):
        source = "%matplotlib inline\nfrom cvlab import draw\ndraw.theme()\n" + CODE
        cells.append(new_code_cell(source, execution_count=n))
        cells[-1].outputs = rendered(source.replace("grow", word))
    run = run_nbval(new_notebook(cells=cells), tmp_path)
    assert "1 failed, 1 passed" in run.text, run.text
    assert "figure 1: looks different near x" in run.text


def rendered(source: str) -> list:
    from cvlab.course.execute import run_notebook

    notebook = new_notebook(cells=[new_code_cell(source)])
    run_notebook(notebook, timeout=600)
    return notebook.cells[0].outputs
