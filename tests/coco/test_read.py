"""Bad files: the error names the record and the field, whatever is wrong with it."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlab.coco.read import read_results, read_truth
from cvlab.coco.rle import mask_to_rle
from cvlab.map.evaluate import evaluate

ONE = {"id": 5, "image_id": 3, "category_id": 7, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
TRUTH = {
    "images": [{"id": 3, "width": 20, "height": 10}, {"id": 1, "width": 20, "height": 10}],
    "categories": [{"id": 7, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [ONE, ONE | {"id": 4, "category_id": 2}],
}
HIT = {"image_id": 3, "category_id": 7, "bbox": [1, 1, 4, 4], "score": 0.5}


def truth(**changes):
    """The truth with its second annotation changed; a value of None takes the field out."""
    data = copy.deepcopy(TRUTH)
    data["annotations"][1] |= changes
    data["annotations"][1] = {k: v for k, v in data["annotations"][1].items() if v is not None}
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": None}, r"annotations\[1\] \(id 4\) has no 'bbox'; it has id, image_id, category_id, area, iscrowd"),
        ({"area": None}, r"annotations\[1\] \(id 4\) has no 'area'"),
        ({"id": None}, r"annotations\[1\] has no 'id'"),
        ({"id": 5}, r"annotations\[1\]: id 5 is already the id of annotations\[0\]"),
        ({"id": "x"}, r"annotations\[1\]: id must be a whole number of 64 bits; got 'x'"),
        ({"image_id": 2}, r"annotations\[1\] \(id 4\): image_id 2 is not among images \(2 ids\)"),
        ({"category_id": 3}, r"annotations\[1\] \(id 4\): category_id 3 is not among categories \(2 ids\)"),
        ({"bbox": [1, 1, 4]}, r"annotations\[1\] \(id 4\): bbox must be four finite numbers x, y, w, h; got \[1, 1, 4\]"),
        ({"bbox": [1, 1, "4", None]}, r"annotations\[1\] \(id 4\): bbox must be four finite numbers"),
        ({"bbox": [1, 1, -4, 4]}, r"annotations\[1\] \(id 4\): bbox must be x, y, w, h with w and h of at least 0; .*Written as x0, y0, x1, y1\?"),
        ({"bbox": [10, 1, 14, 4]}, r"annotations\[1\] \(id 4\): bbox must be x, y, w, h and lie inside its picture, 20 wide and 10 high; got"),
        ({"area": float("inf")}, r"annotations\[1\] \(id 4\): area must be a finite number; got inf"),
        ({"area": -2}, r"annotations\[1\] \(id 4\): area must be at least 0; got -2"),
    ],
)  # fmt: skip
def test_wrong_annotations_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        read_truth(truth(**changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, r"results\[1\] has no 'score'"),
        ({"score": float("nan")}, r"results\[1\]: score must be a finite number; got nan"),
        ({"score": "high"}, r"results\[1\]: score must be a finite number; got 'high'"),
        ({"score": [0.5]}, r"results\[1\]: score must be a finite number; got \[0.5\]"),
        ({"image_id": 9}, r"results\[1\]: image_id 9 is not among the truth's images \(2 ids\)"),
        ({"image_id": 3.5}, r"results\[1\]: image_id must be a whole number of 64 bits; got 3.5"),
        ({"category_id": 1}, r"results\[1\]: category_id 1 is not among the truth's categories \(2 ids\)"),
        ({"bbox": [1, 1, 4, -1]}, r"results\[1\]: bbox must be x, y, w, h with w and h of at least 0"),
        ({"bbox": [25, 1, 4, 4]}, r"results\[1\]: bbox must be x, y, w, h and touch its picture"),
        ({"bbox": None}, r"results\[1\] has no 'bbox'"),
    ],
)
def test_wrong_results_are_named(change, message):
    record = {k: v for k, v in (HIT | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        evaluate(TRUTH, [HIT, record])


@pytest.mark.parametrize(
    ("given_truth", "results", "message"),
    [
        (
            [HIT],
            [HIT],
            "truth must be a dict with images, annotations, categories; got a list. A results file",
        ),
        ({"images": []}, [], "truth must have a list 'annotations'; got nothing"),
        (TRUTH | {"images": [3, 1]}, [], r"images\[0\] must be a dict; got 3"),
        (
            TRUTH | {"images": [{"id": 3}, {"id": 3}]},
            [],
            r"images\[1\]: id 3 is already the id of images\[0\]",
        ),
        (TRUTH, TRUTH, "results must be a list of detections; got a dict. The annotation file"),
        (TRUTH, None, "results must be a list of detections; got a nothing"),
        (TRUTH, [HIT, 7], r"results\[1\] must be a dict; got 7"),
    ],
)
def test_wrong_files_are_named(given_truth, results, message):
    with pytest.raises(ValueError, match=message):
        evaluate(given_truth, results)


def test_files_that_are_cut_short_or_absent(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(TRUTH)[:-20], "utf-8")
    with pytest.raises(
        ValueError, match=r"truth must be whole JSON; truth.json: .*line 1 column .* Download cut short\?"
    ):
        read_truth(path)
    with pytest.raises(FileNotFoundError, match="results: there is no file"):
        evaluate(TRUTH, tmp_path / "none.json")


@given(st.integers(0, 500))
def test_any_cut_of_a_file_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "truth.json"
    text = json.dumps(TRUTH)
    path.write_text(text[: min(length, len(text) - 1)], "utf-8")
    with pytest.raises(ValueError, match="whole JSON"):
        read_truth(path)


def test_masks_are_demanded_and_judged():
    small = mask_to_rle(np.ones((5, 5), bool))
    with pytest.raises(
        ValueError, match=r"annotations\[0\] \(id 5\) has no 'segmentation'; kind='segm' compares masks"
    ):
        evaluate(TRUTH, [], kind="segm")
    whole = copy.deepcopy(TRUTH)
    for annotation in whole["annotations"]:
        annotation["segmentation"] = mask_to_rle(np.ones((10, 20), bool))
    with pytest.raises(ValueError, match=r"results\[0\] has no 'segmentation'"):
        evaluate(whole, [HIT], kind="segm")
    for field in ({}, {"bbox": [1, 1, 4, 4]}):
        record = {"image_id": 3, "category_id": 7, "score": 0.5, "segmentation": small} | field
        with pytest.raises(
            ValueError, match=r"results\[0\]: segmentation: size must be that of the picture, \[10, 20\]"
        ):
            evaluate(whole, [record], kind="segm")
    whole["annotations"][0]["segmentation"] = {"size": [10, 20], "counts": [3]}
    good = {
        "image_id": 3,
        "category_id": 7,
        "score": 0.5,
        "segmentation": mask_to_rle(np.ones((10, 20), bool)),
    }
    with pytest.raises(
        ValueError, match=r"annotations\[0\] \(id 5\): segmentation: counts must add up to 10 x 20"
    ):
        evaluate(whole, [good], kind="segm")


def test_corners_for_sizes_are_noticed():
    corners = [HIT | {"bbox": [x, 1, x + 4, 5]} for x in range(4, 17)]
    message = r"results\[6\]: bbox must be x, y, w, h; got \[10, .* and so do 54% of the boxes. Written as x0, y0, x1, y1\?"
    with pytest.raises(ValueError, match=message):
        evaluate(TRUTH, corners)
    evaluate(TRUTH, corners[:9])  # too few to tell


def test_what_is_read():
    checked = read_truth(TRUTH)
    assert checked.image_ids.tolist() == [1, 3]
    assert checked.category_names == ("dog", "cat")
    assert (checked.image.tolist(), checked.category.tolist()) == ([1, 1], [1, 0])
    found = read_results([HIT], checked)
    assert (found.image.tolist(), found.category.tolist(), found.areas.tolist()) == ([1], [1], [16.0])
    assert len(read_results([], checked).scores) == 0
