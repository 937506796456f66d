"""Boxes, masks and their tags: colours, places, words."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from cvlab import draw
from cvlab.draw.tags import places


@pytest.fixture(autouse=True)
def themed():
    with draw.themed():
        yield
    plt.close("all")


def tags(ax):
    """Return the plates of an Axes' tags, in pixels, once it is drawn."""
    ax.figure.canvas.draw()
    return [text.get_bbox_patch().get_window_extent() for text in ax.texts]


def apart(boxes) -> bool:
    gap = -0.5  # pixels: edges may touch
    padded = [mpl.transforms.Bbox.from_extents(b.x0 - gap, b.y0 - gap, b.x1 + gap, b.y1 + gap) for b in boxes]
    return not any(a.overlaps(b) for i, a in enumerate(padded) for b in padded[i + 1 :])


def test_boxes_lie_on_pixel_borders_with_their_words():
    draw.show(np.zeros((20, 20)))
    ax = draw.draw_boxes([[0, 0, 1, 1], [2, 3, 12, 8]], labels=["cat", "dog"], scores=[0.9, 0.25])
    assert [p.get_bbox().bounds for p in ax.patches[::2]] == [(-0.5, -0.5, 1, 1), (1.5, 2.5, 10, 5)]
    assert [t.get_text() for t in ax.texts] == ["cat 90 %", "dog 25 %"]
    assert len(draw.draw_boxes([]).patches) == len(ax.patches)


def test_the_colour_is_the_class_whatever_its_place_in_the_list():
    for labels in (["cat", "dog", "cat"], ["dog", "tv"]):
        ax = draw.show(np.zeros((20, 20)))
        draw.draw_boxes(np.tile([[1, 1, 5, 5]], (len(labels), 1)), labels=labels, ax=ax)
        edges = [to_hex(patch.get_edgecolor()) for patch in ax.patches[1::2]]
        assert edges == [draw.class_color(label) for label in labels]


def test_without_labels_boxes_are_predictions_and_a_colour_can_be_said():
    ax = draw.show(np.zeros((20, 20)))
    draw.draw_boxes([[1, 1, 5, 5]], ax=ax)
    draw.draw_boxes([[1, 1, 5, 5]], labels=["cat"], color=draw.TRUTH, ax=ax)
    edges = [to_hex(patch.get_edgecolor()) for patch in ax.patches[1::2]]
    assert edges == [draw.PREDICTION.lower(), draw.TRUTH.lower()]


@pytest.mark.parametrize("size", [3, 5])
def test_tags_of_all_calls_stay_apart_and_inside(size):
    _, ax = plt.subplots(figsize=(size, size), layout="constrained")
    draw.show(np.zeros((200, 200)), ax=ax)
    boxes = np.array([[150, 0, 199, 60], [150, 0, 199, 60], [0, 0, 40, 40], [100, 180, 160, 200]])
    draw.draw_boxes(boxes, labels=["motorcycle", "cat", "dog", "airplane"], scores=[0.9, 0.8, 0.7, 1], ax=ax)
    draw.draw_boxes(boxes[::-1], labels=["truth"] * 4, color=draw.TRUTH, ax=ax)
    found = tags(ax)
    assert apart(found)
    page = ax.get_window_extent()
    for tag in found:
        assert page.x0 - 1 <= tag.x0 < tag.x1 <= page.x1 + 1
        assert page.y0 - 1 <= tag.y0 < tag.y1 <= page.y1 + 1


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.integers(-40, 320)] * 4), min_size=1, max_size=8))
def test_places_never_overlap_and_never_leave_the_picture(corners):
    """The picture has room for 8 tags whatever the boxes are."""
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    sizes = np.tile([70, 15], (len(boxes), 1))
    spots = places(boxes, sizes, (0, 0, 300, 300))
    assert (spots >= 0).all()
    assert (spots + sizes <= 300).all()
    assert apart(
        [mpl.transforms.Bbox.from_bounds(*spot, *size) for spot, size in zip(spots, sizes, strict=True)]
    )


def test_a_lone_tag_sits_on_its_box():
    ax = draw.show(np.zeros((100, 100)))
    draw.draw_boxes([[30, 40, 70, 80]], labels=["cat"], ax=ax)
    (tag,) = tags(ax)
    left, top = ax.transData.transform((29.5, 39.5))
    assert tag.x0 == pytest.approx(left, abs=1)
    assert tag.y0 == pytest.approx(top, abs=1)


def test_masks_colour_only_their_pixels():
    mask = np.zeros((2, 8, 8), bool)
    mask[0, 2:4, 2:4] = True  # the second mask is empty: nothing to draw
    draw.show(np.zeros((8, 8)))
    ax = draw.draw_masks(mask, labels=["cat", "dog"])
    layer = ax.images[1].get_array()
    assert np.array_equal(layer[..., 3] > 0, mask[0])
    assert to_hex(layer[2, 2, :3]) == draw.class_color("cat")
    assert [t.get_text() for t in ax.texts] == ["cat"]
