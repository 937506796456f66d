"""The twelve numbers, ours twice (to be read, to be fast) against pycocotools, on cases made to be nasty."""

import contextlib
import copy
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvlab.coco.read import read_results, read_truth
from cvlab.coco.rle import mask_to_rle
from cvlab.map import evaluate
from cvlab.map.coco_eval import coco_map, evaluate_tables, pair_up, summarize

SIZE = 140  # large objects are 96 x 96 and more


def by_library(truth: dict, results: list, kind: str) -> np.ndarray:
    """Return pycocotools' twelve numbers."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt, dt = COCO(), COCO()
        gt.dataset = copy.deepcopy(truth)
        gt.createIndex()
        if results:
            dt = gt.loadRes(copy.deepcopy(results))
        else:  # loadRes reads results[0], so it cannot take an empty list
            dt.dataset = {**gt.dataset, "annotations": []}
            dt.createIndex()
        judge = COCOeval(gt, dt, kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


def readable(truth: dict, results: list, kind: str) -> evaluate.Evaluation:
    checked = read_truth(truth, kind=kind)
    found = read_results(results, checked, kind=kind)
    aps, recalls = evaluate_tables(pair_up(checked, found, kind))
    return evaluate.Evaluation(kind, summarize(aps, recalls), aps, recalls, checked.category_names)


def gap(truth: dict, results: list, kind: str = "bbox") -> float:
    """Return the largest difference of our two evaluators from pycocotools."""
    wanted = by_library(truth, results, kind)
    slow, fast = readable(truth, results, kind), evaluate.evaluate(truth, results, kind=kind)
    np.testing.assert_allclose(fast.aps[:4], slow.aps[:4], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fast.recalls, slow.recalls)
    return max(np.abs(np.array(list(e.numbers.values())) - wanted).max() for e in (slow, fast))


def nasty(seed: int, *, kind: str = "bbox", crowded: bool = False) -> tuple[dict, list]:
    """Make a case: few places and few scores, so that ties and exact thresholds happen all the time."""
    rng = np.random.default_rng(seed)
    whole, images = rng.random() < 0.6, rng.choice(90, rng.integers(1, 5), replace=False) + rng.integers(0, 2)
    categories = rng.choice(95, rng.integers(1, 4), replace=False)
    ids = iter(rng.permutation(400)[:200] + 1)  # unsorted, with holes; 0 has a test of its own

    def box():
        if rng.random() < 0.05:
            return [float(rng.integers(0, SIZE)), 5.0, 0.0, float(rng.choice([0, 9]))]  # degenerate
        side = rng.choice([8, 32, 96]) * rng.choice([0.5, 0.8, 1, 1, 1.25, 1.4], 2).clip(max=SIZE / 96)
        corner = rng.choice([0, 1, 2, 5, 10, 25], 2) if rng.random() < 0.8 else rng.uniform(0, SIZE - side)
        numbers = np.concatenate([corner, side]) + (0 if whole else rng.choice([0, 0.1, 0.3]))
        numbers[2:] = np.minimum(numbers[2:], SIZE - numbers[:2])
        return [int(n) if whole else float(n) for n in numbers]

    def mask(bounds):
        x, y, w, h = (int(round(n)) for n in bounds)
        picture = np.zeros((SIZE, SIZE), bool)
        picture[y : y + h, x : x + w] = rng.random((min(h, SIZE - y), min(w, SIZE - x))) < rng.choice(
            [0.6, 1]
        )
        return mask_to_rle(picture)

    annotations, results, with_box = [], [], rng.random() < 0.5
    for image in images:
        for _ in range(rng.choice([0, 1, 3, 7])):
            bounds, crowd = box(), int(rng.random() < (0.5 if crowded else 0.15))
            area = bounds[2] * bounds[3] if rng.random() < 0.7 else int(rng.choice([10, 1024, 9216, 20000]))
            record = {
                "id": int(next(ids)),
                "image_id": int(image),
                "category_id": int(rng.choice(categories)),
            }
            record |= {"bbox": bounds, "area": area, "iscrowd": crowd}
            if rng.random() < 0.2:
                record["ignore"] = 1  # pycocotools overwrites it with iscrowd
            annotations.append(record | ({"segmentation": mask(bounds)} if kind == "segm" else {}))
        many = kind == "bbox" and rng.random() < 0.1
        for _ in range(rng.choice([105, 130]) if many else rng.choice([0, 1, 4, 12])):
            near = [a["bbox"] for a in annotations if a["image_id"] == image]
            bounds = near[rng.integers(len(near))] if near and rng.random() < 0.4 else box()
            record = {"image_id": int(image), "category_id": int(rng.choice(categories))}
            record["score"] = float(rng.choice([0.1, 0.5, 0.5, 0.9, rng.random()]))
            if kind == "segm":
                record["segmentation"] = mask(bounds)
            results.append(record | ({"bbox": bounds} if kind == "bbox" or with_box else {}))
    order = rng.permutation(len(results))
    truth = {
        "images": [{"id": int(i), "width": SIZE, "height": SIZE} for i in images],
        "categories": [{"id": int(c), "name": f"class {c}"} for c in categories],
        "annotations": annotations,
    }
    return truth, [results[i] for i in order]


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_boxes_equal_pycocotools(seed, crowded):
    assert gap(*nasty(seed, crowded=crowded)) < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_masks_equal_pycocotools(seed, crowded):
    assert gap(*nasty(seed, kind="segm", crowded=crowded), "segm") < 1e-12


BOXES = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(0, 6)] * 2).map(list)
OBJECT = st.fixed_dictionaries(
    {"image_id": st.integers(1, 2), "category_id": st.integers(1, 2), "bbox": BOXES}
)
SCORED = st.tuples(OBJECT, st.sampled_from([0.2, 0.5, 0.8])).map(lambda p: {**p[0], "score": p[1]})
TRUE = st.tuples(OBJECT, st.sampled_from([0, 0, 0, 1]), st.sampled_from([30, 1024, 5000, 9216])).map(
    lambda p: {**p[0], "iscrowd": p[1], "area": p[2]}
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TRUE, max_size=6), st.lists(SCORED, max_size=8))
def test_small_cases_equal_pycocotools(annotations, results):
    truth = world([{"id": i + 1, **a} for i, a in enumerate(annotations)])
    assert gap(truth, results) < 1e-12


def world(annotations: list, images=(1, 2), categories=(1, 2)) -> dict:
    return {
        "images": [{"id": i, "width": 200, "height": 200} for i in images],
        "categories": [{"id": c, "name": f"class {c}"} for c in categories],
        "annotations": annotations,
    }


def annotation(**changes) -> dict:
    return {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0
    } | changes  # fmt: skip


def result(**changes) -> dict:
    return {"image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 40], "score": 0.9} | changes


@pytest.mark.parametrize(
    ("truth", "results", "wanted"),
    [
        (world([]), [], {"AP": -1, "AR100": -1}),
        (world([], images=(), categories=()), [], {"AP": -1}),
        (world([]), [result()], {"AP": -1, "AR100": -1}),
        (world([annotation()]), [], {"AP": 0, "AR100": 0, "APm": 0, "APs": -1}),
        (world([annotation()]), [result()], {"AP": 1, "AR1": 1, "APm": 1, "APl": -1}),
        (world([annotation(iscrowd=1)]), [result()], {"AP": -1}),
        (world([annotation(area=1024)]), [result()], {"APs": 1, "APm": 1}),  # both ends belong
        (world([annotation(), annotation(id=2, category_id=2)]), [result()], {"AP": 0.5}),
        (world([annotation()]), [result(score=0.3), result(bbox=[90, 90, 40, 40])], {"AP": 0.5}),
    ],
)
def test_corner_cases(truth, results, wanted):
    assert gap(truth, results) < 1e-12
    numbers = evaluate.evaluate(truth, results).numbers
    assert {name: round(numbers[name], 9) for name in wanted} == wanted


def test_ties_in_score_are_broken_by_image_then_by_line_of_the_file():
    truth = world([annotation(), annotation(id=2, image_id=2)])
    right, wrong = result(), result(image_id=2, bbox=[150, 150, 40, 40])
    assert (
        evaluate.evaluate(truth, [right, wrong]).numbers["AP"]
        == evaluate.evaluate(truth, [wrong, right]).numbers["AP"]
    )
    same = [result(bbox=[150, 150, 40, 40]), right]
    first, second = (
        evaluate.evaluate(truth, same).numbers["AP"],
        evaluate.evaluate(truth, same[::-1]).numbers["AP"],
    )
    assert first < second
    assert max(gap(truth, same), gap(truth, same[::-1])) < 1e-12


def test_pycocotools_loses_the_annotation_whose_id_is_0():
    truth, results = world([annotation(id=0)]), [result()]
    assert by_library(truth, results, "bbox")[0] == 0
    assert evaluate.evaluate(truth, results).numbers["AP"] == 1
    assert readable(truth, results, "bbox").numbers["AP"] == 1


def test_only_a_hundred_detections_an_image_and_class_count():
    truth = world([annotation()])
    wrong = [result(bbox=[150, 150, 40, 40], score=0.9)] * 100
    assert evaluate.evaluate(truth, [*wrong, result(score=0.1)]).numbers["AR100"] == 0
    assert evaluate.evaluate(truth, [*wrong[:99], result(score=0.1)]).numbers["AR100"] == 1
    assert gap(truth, [*wrong, result(score=0.1)]) < 1e-12


def test_files_and_content_give_the_same(tmp_path):
    truth, results = nasty(5)
    (tmp_path / "truth.json").write_text(json.dumps(truth), "utf-8")
    (tmp_path / "results.json").write_text(json.dumps(results), "utf-8")
    from_files = evaluate.evaluate(tmp_path / "truth.json", str(tmp_path / "results.json"))
    assert from_files.numbers == evaluate.evaluate(truth, results).numbers
    checked = read_truth(truth)
    assert evaluate.evaluate(checked, read_results(results, checked)).numbers == from_files.numbers


def test_inputs_are_not_changed():
    truth, results = nasty(11, kind="segm")
    before = copy.deepcopy((truth, results))
    evaluate.evaluate(truth, results, kind="segm")
    assert (truth, results) == before


def test_per_class_and_repr():
    truth = world([annotation(), annotation(id=2, category_id=2)])
    found = evaluate.evaluate(truth, [result()])
    assert found.per_class == {"class 1": 1.0, "class 2": 0.0}
    assert repr(found).startswith("bbox: AP 0.500, AP50 0.500")
    with pytest.raises(ValueError, match="kind must be one of 'bbox', 'segm'; got 'box'"):
        evaluate.evaluate(truth, [], kind="box")


def test_coco_map_refuses_what_it_cannot_judge():
    with pytest.raises(
        TypeError,
        match=r"images must be a list with one dict an image; got dict. One image\? Pass \[images\]",
    ):
        coco_map({"cat": ([0.5], [[0.5]])})
    with pytest.raises(TypeError, match=r"images\[0\] must be a dict: class -> .*; got int"):
        coco_map([1])
    with pytest.raises(ValueError, match=r"images\[1\]\['cat'\] must be \(scores, ious\)"):
        coco_map([{}, {"cat": ([0.5], [0.5])}])
    assert coco_map([]) == coco_map([{}]) == coco_map([{"cat": (np.array([0.5]), np.zeros((1, 0)))}]) == -1


def test_coco_map_pools_the_detections_of_all_images():
    right, wrong = (np.array([0.6]), np.array([[0.96]])), (np.array([0.9]), np.array([[0.1]]))
    assert coco_map([{"cat": right}, {"cat": wrong}]) == pytest.approx(0.5 * 51 / 101)
    assert np.mean([coco_map([{"cat": one}]) for one in (right, wrong)]) == 0.5
    boxes = [[0, 0, 96, 100], [50, 0, 10, 100]]
    truth = world([annotation(bbox=[0, 0, 100, 100]), annotation(id=2, image_id=2, bbox=[0, 0, 100, 100])])
    results = [
        result(image_id=i + 1, score=s, bbox=b) for i, s, b in zip((0, 1), (0.6, 0.9), boxes, strict=True)
    ]
    assert evaluate.evaluate(truth, results).numbers["AP"] == pytest.approx(0.5 * 51 / 101)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_coco_map_is_the_evaluation_without_crowds(seed):
    truth, results = nasty(seed)
    rng = np.random.default_rng(seed)
    for a in truth["annotations"]:
        a |= {"iscrowd": 0, "area": 500}
        a["bbox"] = [
            v + rng.random() / 4 for v in a["bbox"]
        ]  # no two overlaps are equal: COCO takes the later of equals
    checked = read_truth(truth)
    images = [{} for _ in checked.image_ids]
    for k, matchups in enumerate(pair_up(checked, read_results(results, checked))):
        for m in matchups:
            images[m.image][k] = (m.scores, m.ious)
    assert coco_map(images) == pytest.approx(evaluate.evaluate(truth, results).numbers["AP"], abs=1e-12)
