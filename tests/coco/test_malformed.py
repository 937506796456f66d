"""COCO files broken on purpose: each is refused in Python, before any C sees it, by file, record and field."""

import copy
import json
import re
import subprocess
import sys
import tracemalloc
from functools import reduce

import numpy as np
import pytest
from pycocotools import mask as library

from cvlab.coco.read import read_results, read_truth
from cvlab.coco.rle import mask_to_rle, segmentation_to_mask
from cvlab.map.evaluate import evaluate

NAN, INF = float("nan"), float("inf")
DEEP = reduce(lambda inner, _: [inner], range(200), 0)
SQUARE = [[2, 2, 8, 2, 8, 6, 2, 6]]
RUNS = {"size": [10, 20], "counts": [22, 4, 174]}
TRUTH = {
    "images": [{"id": 3, "height": 10, "width": 20}, {"id": 1, "height": 10, "width": 20}],
    "categories": [{"id": 7, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": i, "image_id": 3, "category_id": 7, "bbox": [2, 2, 6, 4], "area": 24, "iscrowd": 0}
        | {"segmentation": SQUARE}
        for i in (5, 4)
    ],
}
RESULTS = [
    {"image_id": 3, "category_id": 7, "bbox": [2, 2, 6, 4], "score": 0.5, "segmentation": RUNS} for _ in "ab"
]
GONE = object()
PLACES = {
    "images": r"images\[1\] \(id 1\)",
    "categories": r"categories\[1\] \(id 2\)",
    "annotations": r"annotations\[1\] \(id 4\)",
    "results": r"results\[1\]",
}


def broken(where: str, field: str, value) -> tuple[dict, list]:
    """Return a good truth and good results but for one field of the second record of one list."""
    truth, results = copy.deepcopy(TRUTH), copy.deepcopy(RESULTS)
    record = (results if where == "results" else truth[where])[1]
    if value is GONE:
        del record[field]
    else:
        record[field] = value
    return truth, results


LONG = 10**4000 * 10**999  # Python neither writes nor reads a number of 5,000 digits
NOT_WHOLE = [None, "4", "x", True, 4.0, 4.5, NAN, [4], {}, 2**63, -(2**63) - 1, 2**70, LONG, DEEP]
NOT_A_NUMBER = [None, "0.9", "high", "", True, False, NAN, INF, -INF, [0.5], {}, 10**400, LONG, DEEP]
NOT_A_BOX = [
    None, 5, "2264", "", {}, {"x": 1, "y": 2, "w": 3, "h": 4}, [], [2, 2, 6], [2, 2, 6, 4, 1], [[2, 2, 6, 4]],
    [2, 2, "6", 4], [2, 2, None, 4], [2, 2, True, 4], [2, 2, [6], 4], [2, NAN, 6, 4], [INF, 2, 6, 4],
    [2, 2, 6, -4], [2, 2, -0.5, 4], [1e308] * 4, [2, 2, 10**400, 4], [2, 2, 6, LONG], [500, 2, 6, 4], DEEP,
]  # fmt: skip
NOT_A_CROWD = ["0", "1", "false", "", [0], {}, None, -1, 2, 2**70, 0.0, 0.5, NAN]
NOT_A_SIDE = [None, [1], {}, 2**70, 10**7, "10", "", -5, 0, NAN, INF, 10.0, 10.5, True, LONG, DEEP]
NOT_POLYGONS = [
    0, "", "polygon", True, [], [[]], [None], ["224466"], [{}], SQUARE[0], [SQUARE], [[2, 2, 8, 2]], [[2, 2, 8, 2, 8]],
    [[2, 2, 8, 2, 8, 6, 2]], [[[2, 2], [8, 2], [8, 6]]], [SQUARE[0], [1]], [SQUARE[0], None], DEEP,
] + [
    [[2, 2, 8, 2, 8, bad]]
    for bad in (None, "6", True, NAN, INF, -INF, 1e9, -1e9, 1e308, 2**31, 2**63, 10**400, LONG, [6], {}, 20.5, -10.5)
]  # fmt: skip
NOT_RUNS = (
    [{"counts": [22, 4, 174]}, {"size": [10, 20]}, {}]
    + [
        RUNS | {"size": size}
        for size in (
            None, 200, "10x20", {}, [], [10], [10, 20, 1], [20, 10], [200, 1], [10, None], [10, "20"], [10.0, 20.0],
            [True, 200], [10, NAN], [-10, -20], [0, 20], [10**6, 10**6], [2**32 + 10, 20], [2**70, 1], [LONG, 20], [[10], [20]],
        )
    ]
    + [
        RUNS | {"counts": counts}
        for counts in (
            None, 200, True, {}, [], "", [22, 4, 173], [22, 4, 175], [201], [22, 4.0, 174], [22, 4, NAN], [22, None, 178],
            [22, "4", 174], [True, 199], [22, [4], 174], [-1, 201], [400, -200], [2**70], [2**63, 2**63, 200], [2**64 + 200],
            [2**62] * 4 + [200], [2**32] * 2 + [200], [2**31, 2**31, 2**31, 2**31, 200], [LONG], [DEEP], "1", "f04^", "zzz",
            "o" * 12 + "0", "ooooooooooooooooooooo0", "\u6f22" * 3, "\ud800", "\x00", "`" * 500, "oooooo_0" * 3, "é",
        )
    ]
)  # fmt: skip

FIELDS = {
    ("images", "id"): NOT_WHOLE,
    ("categories", "id"): NOT_WHOLE,
    ("annotations", "id"): NOT_WHOLE,
    ("annotations", "image_id"): [*NOT_WHOLE, 2, -3],
    ("annotations", "category_id"): [*NOT_WHOLE, 1, 0],
    ("results", "image_id"): [*NOT_WHOLE, 2, -3],
    ("results", "category_id"): [*NOT_WHOLE, 1, 0],
    ("images", "height"): NOT_A_SIDE,
    ("images", "width"): NOT_A_SIDE,
    ("categories", "name"): [None, 5, True, ["dog"], {}, DEEP],
    ("annotations", "bbox"): [*NOT_A_BOX, [2, 2, 60, 4], [10, 1, 14, 4]],
    ("results", "bbox"): NOT_A_BOX,
    ("annotations", "area"): [*NOT_A_NUMBER, -2, -0.001],
    ("results", "score"): NOT_A_NUMBER,
    ("annotations", "iscrowd"): NOT_A_CROWD,
}
CASES = [("bbox", where, field, value) for (where, field), values in FIELDS.items() for value in values]
CASES += [("bbox", where, field, GONE) for where, field in FIELDS if field not in ("iscrowd", "name")]
CASES += [
    ("segm", where, "segmentation", value)
    for where in ("annotations", "results")
    for value in [None, GONE, *NOT_POLYGONS, *NOT_RUNS]
]
CASES += [("segm", "images", side, value) for side in ("height", "width") for value in (GONE, *NOT_A_SIDE)]


def name(value) -> str:
    try:
        return "gone" if value is GONE else ascii(value)[:60]
    except ValueError:
        return "5000 digits"


def written(folder, truth, results):
    """Write both files as any other program might: long numbers, NaN and Infinity too."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        for file, content in (("truth.json", truth), ("results.json", results)):
            (folder / file).write_text(json.dumps(content), "utf-8")
    finally:
        sys.set_int_max_str_digits(limit)
    return folder / "truth.json", folder / "results.json"


def refusal(truth, results, kind: str) -> str:
    with pytest.raises(ValueError, match=r"\A") as caught:
        evaluate(truth, results, kind=kind)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "where", "field", "value"), CASES, ids=[f"{k}-{w}-{f}-{name(v)}" for k, w, f, v in CASES]
)
def test_each_is_refused_by_file_record_and_field(tmp_path, kind, where, field, value):
    truth, results = broken(where, field, value)
    place = PLACES[where] if field != "id" else rf"{where}\[1\]( \(id \d\))?"
    wanted = rf"{place}(: {field}\b.*(must|got|not among)| .*'{field}')"
    message = refusal(truth, results, kind)
    assert re.match(wanted, message), message
    assert len(message) < 400
    assert message.isprintable()
    file = "results.json" if where == "results" else "truth.json"
    message = refusal(*written(tmp_path, truth, results), kind)
    assert re.match(f"{file}: {wanted}", message), message


def test_there_are_many_of_them():
    assert len(CASES) > 350


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("record", [None, 7, 0.5, True, "x", [], [1, 2], [{"id": 1}], DEEP])
def test_a_record_that_is_no_dict_is_named(where, record):
    truth, results = copy.deepcopy((TRUTH, RESULTS))
    (results if where == "results" else truth[where])[1] = record
    assert re.match(rf"{where}\[1\] must be a dict; got ", refusal(truth, results, "bbox"))


@pytest.mark.parametrize("where", ["images", "annotations", "categories"])
@pytest.mark.parametrize("value", [None, GONE, 7, "x", {}, {"id": 1}, True])
def test_a_list_that_is_none_is_named(where, value):
    truth = {k: v for k, v in (TRUTH | {where: value}).items() if v is not GONE}
    assert refusal(truth, RESULTS, "bbox").startswith(f"truth must have a list {where!r}; got ")


@pytest.mark.parametrize("where", ["images", "annotations", "categories"])
def test_the_same_id_twice_is_named(where):
    truth, results = broken(where, "id", TRUTH[where][0]["id"])
    number = TRUTH[where][0]["id"]
    assert refusal(truth, results, "bbox") == f"{where}[1]: id {number} is already the id of {where}[0]"


@pytest.mark.parametrize("truth", [None, 7, 0.5, True, [], [TRUTH], {}, {"images": []}])
def test_what_is_no_truth_is_refused(truth):
    assert refusal(truth, RESULTS, "bbox").startswith("truth must ")


@pytest.mark.parametrize("results", [None, 7, 0.5, True, {}, TRUTH, {"results": RESULTS}])
def test_what_are_no_results_is_refused(results):
    assert refusal(TRUTH, results, "bbox").startswith("results must be a list of detections; got a ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truth must be whole JSON; truth.json: "),
        (b"\xff\xfe{}", "truth must be whole JSON; truth.json: "),
        (b"\xef\xbb\xbf{}", "truth must be whole JSON; truth.json: "),
        (b"{} {}", "truth must be whole JSON; truth.json: "),
        (b"{'images': []}", "truth must be whole JSON; truth.json: "),
        (b"null", "truth.json: truth must be a dict"),
        (b"1" * 5000, "truth.json: truth must be a dict"),
        (b"[" * 100_000, "truth must be JSON of a few levels; truth.json: "),
        (b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "truth must be JSON of a few levels; truth.json: "),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "truth must be JSON of a few levels; truth.json: "),
    ],
)  # fmt: skip
def test_a_file_that_is_no_json_is_named(tmp_path, content, message):
    (tmp_path / "truth.json").write_bytes(content)
    assert refusal(tmp_path / "truth.json", RESULTS, "bbox").startswith(message)


CHILD = """
import json, sys
from cvlab.map.evaluate import evaluate
from cvlab.coco.rle import segmentation_to_mask
for truth, results in json.load(sys.stdin):
    try:
        evaluate(truth, results, kind="segm")
    except ValueError as error:
        print("refused")
    try:
        segmentation_to_mask(truth["annotations"][1].get("segmentation"), 10, 20)
    except ValueError as error:
        print("refused")
"""


def test_no_mask_ends_the_kernel():
    """These ended the process by a signal (SIGSEGV), or filled the memory, when C saw them."""
    masks = [m for m in [*NOT_POLYGONS, *NOT_RUNS] if name(m) != "5000 digits"]
    cases = [broken("annotations", "segmentation", mask) for mask in masks]
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-500:]
    assert child.stdout.split() == ["refused"] * 2 * len(cases)


@pytest.mark.parametrize("size", [[10**6, 10**6], [10**9, 10**3], [2**31, 2**31], [2**40, 1]])
def test_sizes_are_compared_before_anything_is_allocated(size):
    huge = {"size": size, "counts": [size[0] * size[1]]}
    tracemalloc.start()
    try:
        for call in (
            lambda: evaluate(*broken("annotations", "segmentation", huge), kind="segm"),
            lambda: evaluate(*broken("results", "segmentation", huge), kind="segm"),
            lambda: segmentation_to_mask(huge, 10, 20),
            lambda: segmentation_to_mask(huge, *size),
        ):
            with pytest.raises(ValueError, match="size|height"):
                call()
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_masks_of_a_huge_picture_are_refused_by_its_record():
    truth, results = broken("images", "height", 10**6)
    truth["images"][1]["width"] = 10**6
    assert evaluate(truth, results).numbers["AP"] > 0  # boxes need no pixels
    assert "images[1] (id 1): height must be such that height x width is at most" in refusal(
        truth, results, "segm"
    )


def test_masks_without_the_size_of_their_picture_are_no_silent_zero():
    truth = copy.deepcopy(TRUTH)
    for image in truth["images"]:
        del image["height"], image["width"]
    assert refusal(truth, RESULTS, "segm") == "images[0] (id 3) has no 'height'; it has id"
    boxes_only = read_truth(truth)
    found = read_results(RESULTS, boxes_only)
    with pytest.raises(ValueError, match=r"results\[0\]: segmentation: height must be at least 1; got 0"):
        evaluate(boxes_only, found, kind="segm")


def test_an_outline_without_end_is_refused():
    zigzag = [0, 0, 8000, 8000] * 400
    with pytest.raises(ValueError, match="polygon 0 must have an outline of at most 2000000 pixels"):
        segmentation_to_mask([zigzag], 8000, 8000)
    assert segmentation_to_mask([zigzag[:40]], 8000, 8000).shape == (8000, 8000)


def mask() -> np.ndarray:
    picture = np.zeros((10, 20), bool)
    picture[2:6, 2:8] = True
    return picture


@pytest.mark.parametrize(
    "good",
    [
        SQUARE,
        [[2.0, 2, 8.0, 2.0, 8, 6, 2, 6.0]],
        [[2, 2, 5, 2, 5, 6, 2, 6], [5, 2, 8, 2, 8, 6, 5, 6]],
        [np.array(SQUARE[0]).tolist()],
        mask_to_rle(mask()),
        library.encode(np.asfortranarray(mask().astype(np.uint8))),
        {"size": (10, 20), "counts": [22, 4, *[6, 4] * 5, 124]},
        {"size": [10, 20], "counts": np.array([22, 4, *[6, 4] * 5, 124])},
        {"size": np.array([10, 20]).tolist(), "counts": [22, 4, 6, 4, 6, 0, 0, 4, *[6, 4] * 3, 124]},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["annotations", "results"])
def test_every_right_way_to_write_a_mask_is_read(where, good):
    truth, results = broken(where, "segmentation", good)
    assert np.array_equal(segmentation_to_mask(good, 10, 20), mask())
    truth["annotations"][1]["image_id"] = results[1]["image_id"] = 1
    for record in (truth["annotations"][0], results[0]):
        record["segmentation"] = SQUARE
    for record in (results, truth["annotations"])[where == "results"]:
        record["segmentation"] = SQUARE
    assert evaluate(truth, results, kind="segm").numbers["AP"] == 1
    for result in results:
        del result["bbox"]
    assert read_results(results, read_truth(truth), kind="segm").areas.tolist() == [24, 24]


def test_what_other_programs_write_is_read():
    truth, results = copy.deepcopy((TRUTH, RESULTS))
    one, two = truth["annotations"]
    one |= {
        "bbox": (2.0, 2.0, np.float32(6), np.int64(4)),
        "area": np.float64(24),
        "iscrowd": False,
        "id": np.int64(0),
    }
    two |= {"bbox": np.array([2, 2, 6, 4]), "iscrowd": True, "id": -(2**63), "extra": {"any": [DEEP, LONG]}}
    del (
        truth["images"][1]["height"],
        truth["images"][1]["width"],
        truth["categories"][1]["name"],
        one["segmentation"],
    )
    results[0] |= {"score": np.float32(0.5), "bbox": np.array([2.0, 2, 6, 4])}
    results[1] |= {"score": 1, "category_id": np.int32(2), "image_id": np.uint64(3)}
    read = read_truth(truth)
    assert read.crowd.tolist() == [False, True]
    assert read.sizes.tolist() == [[0, 0], [10, 20]]
    assert read.category_names == ("2", "cat")
    assert evaluate(truth, results).numbers["AP"] == 1
    del one["iscrowd"], two["iscrowd"]
    assert not read_truth(truth).crowd.any()
