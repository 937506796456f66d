"""Annotation formats: there and back, other programs' reading, and what is refused with nothing written."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlab.coco import other_formats, write
from cvlab.coco.categories import CATEGORIES, VOC_CLASSES, category_id, coco_name, voc_to_coco
from cvlab.coco.results import from_results, save_results, to_results
from cvlab.coco.rle import mask_to_rle
from cvlab.map.evaluate import evaluate
from cvlab.world.scenes import make_scene

BOXES = st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(10, 20)] * 2), min_size=1, max_size=4)


@given(BOXES, st.data())
def test_voc_comes_back(rows, data):
    names = [data.draw(st.sampled_from(VOC_CLASSES)) for _ in rows]
    text = other_formats.to_voc(names, rows, height=20, width=25)
    back = other_formats.from_voc(text)
    assert back[0] == names
    np.testing.assert_array_equal(back[1], rows)
    assert back[2:] == (20, 25)


def test_voc_without_objects():
    names, boxes, _, _ = other_formats.from_voc(other_formats.to_voc([], [], height=20, width=25))
    assert names == []
    assert boxes.shape == (0, 4)


@given(BOXES)
def test_yolo_comes_back(rows):
    labels = list(range(len(rows)))
    back = other_formats.from_yolo(
        other_formats.to_yolo(labels, rows, height=21, width=23), height=21, width=23
    )
    assert back[0].tolist() == labels
    np.testing.assert_allclose(back[1], rows, atol=1e-7)


def test_scenes_to_results_and_back():
    scene = make_scene(3, split="test")
    ids = [category_id(scene.class_names[label]) for label in scene.labels]
    results = to_results(1, ids, np.ones(len(ids)), boxes=scene.boxes, masks=scene.masks)
    np.testing.assert_array_equal(from_results(results), scene.masks)
    truth = write.to_coco([scene])
    for kind in ("bbox", "segm"):
        assert evaluate(truth, results, kind=kind).numbers["AP"] == 1


def test_all_voc_classes_have_their_coco_id():
    ids = voc_to_coco(VOC_CLASSES, CATEGORIES)
    assert ids == {name: category_id(coco_name(name)) for name in VOC_CLASSES}
    assert len(set(ids.values())) == 20
    assert sum(name != coco_name(name) for name in ids) == 6


GOOD = other_formats.to_voc(["cat"], [[0, 0, 5, 4]], height=10, width=20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: voc_to_coco(["kat"], CATEGORIES), "voc_name must be one of"),
        (lambda: voc_to_coco(["cat"], [{"name": "cat"}]), r"categories\[0\] must be a dict with id and name"),
        (lambda: voc_to_coco(["sofa"], CATEGORIES[:5]), r"names\[0\] = 'sofa' has no category among the 5"),
        (lambda: other_formats.from_voc(GOOD[:-9]), r"must be the XML of a VOC annotation: .* Cut short\?"),
        (lambda: other_formats.from_voc(GOOD.replace("<xmax>5</xmax>", "")), r"object\[0\] 'cat': bndbox/xmax must be a number; got nothing"),
        (lambda: other_formats.from_voc(GOOD.replace(">5<", ">wide<")), r"object\[0\] 'cat': bndbox/xmax must be a number; got 'wide'"),
        (lambda: other_formats.from_voc(GOOD.replace(">5<", ">50<")), r"object\[0\] 'cat': bndbox must lie in pixels 1 to 20 by 1 to 10"),
        (lambda: other_formats.from_voc(GOOD.replace("<width>20</width>", "")), "annotation: size/width must be a number; got nothing"),
        (lambda: other_formats.to_voc(["cat"], [[0, 0, 5.5, 4]], 10, 20), r"boxes must be whole pixels.*got boxes\[0\].*Round first"),
        (lambda: other_formats.to_voc(["cat"], [[0, 0, 50, 4]], 10, 20), "boxes must lie inside the picture"),
        (lambda: other_formats.to_voc([], [[0, 0, 5, 4]], 10, 20), "names must have one item for each of the 1 boxes"),
        (lambda: other_formats.to_yolo([1, 2], [[0, 0, 5, 4]], 10, 20), "labels must have one item for each of the 1"),
        (lambda: other_formats.from_yolo("0 0.5 0.5 1 1\n1 0.5 0.5 1", 10, 20), r"line 2: must be class cx cy w h; got '1 0.5 0.5 1'"),
        (lambda: other_formats.from_yolo("0 50 50 10 10", 10, 20), r"line 1: .*In pixels\?"),
        (lambda: other_formats.from_yolo("cat 0.5 0.5 1 1", 10, 20), "line 1: must be class cx cy w h"),
        (lambda: to_results(1, [17], [0.9]), "boxes or masks must be given; got neither"),
        (lambda: to_results(1, [17], [0.9], boxes=[]), "scores must have one item for each of the 0"),
        (lambda: to_results(1, [17, 18], [0.9], boxes=[[0, 0, 1, 1]]), "category_ids must have one item for each of the 1"),
        (lambda: from_results([{"segmentation": mask_to_rle(np.ones((k, 3), bool))} for k in (2, 3)]), r"records\[1\]: size must be that of records\[0\], \[2, 3\], .*got \[3, 3\]"),
        (lambda: from_results([{"score": 1}]), r"records\[0\] has no 'segmentation'; it has score"),
    ],
)  # fmt: skip
def test_wrong_records_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_results_have_no_masks():
    assert (from_results([]).shape, from_results([]).dtype) == ((0, 0, 0), bool)


def test_a_results_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "results.json"
    results = to_results(1, [17], [0.9], boxes=[[0, 0, 5, 4]])
    save_results(results, path)
    assert json.loads(path.read_text("utf-8")) == results
    before = path.read_bytes()
    for bad, message in [
        ({"score": float("nan")}, r"results\[1\]: score must be a finite number"),
        ({"bbox": [0, 0, -1, 4]}, r"results\[1\]: bbox must be x, y, w, h with w and h of at least 0"),
        ({"image_id": "1"}, r"results\[1\]: image_id must be a whole number of 64 bits; got '1'"),
        ({"bbox": None}, r"results\[1\] has neither 'bbox' nor 'segmentation'"),
        ({"image_id": None}, r"results\[1\] has no 'image_id'"),
    ]:
        record = {k: v for k, v in (results[0] | bad).items() if v is not None}
        with pytest.raises(ValueError, match=message):
            save_results([results[0], record], path)
        with pytest.raises(ValueError, match=message):
            save_results([results[0], record], tmp_path / "new.json")
    with pytest.raises(ValueError, match="results must be a list of detections; got a dict"):
        save_results(results[0], path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
