"""seaborn's figures have the course's look, without a warning; it is imported only by whoever uses it."""

import io
import subprocess
import sys

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from cvlab import draw
from cvlab.draw.display import encoded, has_picture

RNG = np.random.default_rng(0)
NETS = {
    "net": np.repeat(["dense", "LeNet", "residual"], 8),
    "accuracy": np.r_[RNG.normal(0.5, 0.02, 8), RNG.normal(0.7, 0.02, 8), RNG.normal(0.8, 0.02, 8)],
    "time": RNG.random(24) * 10,
}
FIRST = [color.lower() for color in draw.PALETTE[:3]]


@pytest.fixture(autouse=True)
def themed():
    with draw.themed():
        yield
    plt.close("all")


def colors(artists) -> list[str]:
    return [to_hex(color) for artist in artists for color in np.atleast_2d(artist.get_facecolor())[:1]]


def test_strips_kernels_and_pairs_take_the_palette():
    import pandas as pd
    import seaborn as sns

    nets = pd.DataFrame(NETS)
    strip = sns.stripplot(nets, x="accuracy", y="net", hue="net", ax=plt.subplots()[1])
    assert colors(strip.collections) == FIRST
    kernels = sns.kdeplot(nets, x="accuracy", hue="net", fill=True, ax=plt.subplots()[1])
    assert sorted(colors(kernels.collections)) == sorted(FIRST)
    pairs = sns.pairplot(nets, hue="net", height=2)
    assert [to_hex(handle.get_color()) for handle in pairs.legend.legend_handles] == FIRST
    assert encoded(pairs.figure)[0] == "image/png"


def test_histograms_have_white_edges_and_no_frame_around_the_legend():
    import seaborn as sns

    ax = sns.histplot(NETS, x="accuracy", hue="net")
    assert set(colors(ax.patches)) <= set(FIRST)
    assert to_hex(ax.patches[0].get_edgecolor()) == "#ffffff"
    assert not ax.get_legend().get_frame_on()


def test_a_heatmap_is_a_chart_without_lines_over_it():
    import seaborn as sns

    ax = sns.heatmap(np.eye(4), annot=True, cmap="Blues", cbar=False)
    assert not has_picture(ax.figure)
    assert ax.texts[0].get_size() >= 10
    plain = sns.heatmap(np.ones((4, 4)), vmin=0, vmax=2, cbar=False, ax=plt.subplots()[1])
    _, data, *_ = encoded(plain.figure)
    middle = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[200:600, 300:900]
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) == 1


def test_drawing_imports_neither_seaborn_nor_pandas():
    code = (
        "import sys, cvlab.draw; print([m for m in ('seaborn', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    code += "; import numpy; from cvlab.draw import show; show(numpy.eye(2)); print('seaborn' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    assert run.stdout.split("\n")[:2] == ["[]", "False"]
