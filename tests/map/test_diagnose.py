"""Error kinds on cases made for them, prices, confusions, calibration, the bootstrap, the recorded detectors."""

import importlib.util
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.map import certainty, diagnose
from cvlab.map.detectors import DETECTORS, Habits, detect, recorded
from cvlab.map.evaluate import evaluate
from cvlab.settings import data_dir

PERFECT = Habits(jitter=0, loose=0, miss=0, duplicate=0, confuse=0, ghost=0, noise=0)


def world(*boxes, crowd=()):
    """One image of 200 x 200, classes 1 and 2; boxes are (class, x, y, w, h)."""
    annotations = [
        {
            "id": i + 1,
            "image_id": 1,
            "category_id": c,
            "bbox": list(b),
            "area": b[2] * b[3],
            "iscrowd": int(i in crowd),
        }
        for i, (c, *b) in enumerate(boxes)
    ]
    kinds = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {
        "images": [{"id": 1, "width": 200, "height": 200}],
        "categories": kinds,
        "annotations": annotations,
    }


def said(*boxes):
    """Results, best score first; boxes are (class, x, y, w, h)."""
    return [
        {"image_id": 1, "category_id": c, "bbox": list(b), "score": 0.9 - 0.1 * i}
        for i, (c, *b) in enumerate(boxes)
    ]


CAT, FAR = (1, 10, 10, 40, 40), (1, 150, 150, 40, 40)


@pytest.mark.parametrize(
    ("boxes", "kinds", "missed"),
    [
        ([CAT], ["right"], 0),
        ([CAT, CAT], ["right", "duplicate"], 0),
        ([(2, *CAT[1:])], ["classification"], 0),
        ([(1, 30, 10, 40, 40)], ["localisation"], 0),
        ([(2, 30, 10, 40, 40)], ["both"], 1),
        ([FAR], ["background"], 1),
        ([(1, 48, 48, 40, 40)], ["background"], 1),  # touches a corner: below 0.1
        ([], [], 1),
    ],
)
def test_each_kind_of_error(boxes, kinds, missed):
    labels = diagnose.label_errors(world(CAT), said(*boxes))
    assert labels.kinds.tolist() == kinds
    assert labels.missed.sum() == missed
    assert labels.counts["missed"] == missed


def test_crowds_forgive():
    labels = diagnose.label_errors(world(CAT, FAR, crowd=[1]), said(FAR, FAR))
    assert labels.kinds.tolist() == ["ignored", "ignored"]
    assert labels.counts == dict.fromkeys(diagnose.KINDS, 0) | {"missed": 1}


@pytest.mark.parametrize("kind", diagnose.KINDS)
def test_the_kind_that_was_made_is_the_one_that_costs(kind):
    habits = {
        "classification": {"confuse": 0.4},
        "localisation": {"loose": 0.5},
        "duplicate": {"duplicate": 0.9},
        "background": {"ghost": 4},
        "missed": {"miss": 0.4},
        "both": {"confuse": 1.0, "loose": 1.0},
    }[kind]
    truth = recorded("truth")
    results = detect(truth, Habits(**vars(PERFECT) | {"noise": 2.0} | habits), seed=3)
    found = diagnose.label_errors(truth, results).counts
    assert found[kind] > 0
    costs = diagnose.error_costs(truth, results, thresholds=0.5)
    assert costs[kind] > 0
    if kind not in (
        "both",
        "duplicate",
        "background",
    ):  # those are made together with others: ghosts lie on objects
        assert max(costs, key=costs.get) == kind
    assert all(cost > -0.02 for cost in costs.values())


def test_mending_everything_that_is_one_kind_makes_it_perfect():
    truth = recorded("truth")
    results = detect(truth, Habits(**vars(PERFECT) | {"miss": 0.4}), seed=3)
    costs = diagnose.error_costs(truth, results)
    assert evaluate(truth, results).numbers["AP"] + costs["missed"] == pytest.approx(1, abs=0.01)
    assert diagnose.error_costs(truth, detect(truth, PERFECT)) == dict.fromkeys(diagnose.KINDS, 0)


def test_confusions_are_counted():
    truth = world(CAT, (2, 100, 10, 40, 40), FAR)
    results = said((2, *CAT[1:]), (2, 100, 10, 40, 40), (1, 10, 150, 20, 20))
    matrix = diagnose.confusion_matrix(truth, results)
    assert matrix.tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert diagnose.confusion_matrix(truth, results, score=0.85).tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    truth, results = recorded("truth"), recorded("B")
    matrix = diagnose.confusion_matrix(truth, results, score=0)
    assert matrix[:-1].sum() == len(truth["annotations"])
    assert matrix[:, :-1].sum() == len(results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnose.label_errors(world(CAT), [], threshold=0.1), "threshold must be above 0.1 and at most 1; got 0.1"),
        (lambda: diagnose.error_costs(world(CAT), [], thresholds=[0.52]), r"thresholds must be among \[0.5, 0.55"),
        (lambda: diagnose.confusion_matrix(world(CAT), [], score=50), r"score must be in \[0, 1\]; got 50"),
        (lambda: certainty.calibration(world(CAT), said(CAT), bins=0), "bins must be at least 1; got 0"),
        (lambda: certainty.calibration(world(CAT), [said(CAT)[0] | {"score": 3.0}]), r"scores must be in \[0, 1\]; .*Logits\?"),
        (lambda: certainty.bootstrap_difference(world(CAT), [], [], rounds=0), "rounds must be at least 1; got 0"),
        (lambda: certainty.bootstrap_difference(world(CAT) | {"images": [], "annotations": []}, [], []), "at least one image"),
        (lambda: recorded("C"), "name must be one of 'truth', 'A', 'B', 'A masks'; got 'C'"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_calibration_of_a_known_case():
    found = certainty.calibration(world(CAT), said(CAT, FAR), bins=2)
    assert found.counts.tolist() == [0, 2]
    assert found.right[1] == 0.5
    assert found.scores[1] == pytest.approx(0.85)
    assert found.error == pytest.approx(0.35)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_weights_are_repeated_images(seed):
    """An image drawn twice counts as two images: compared with a data set that really holds it twice."""
    truth, results = recorded("truth"), recorded("B")
    drawn = np.random.default_rng(seed).integers(0, 120, 40)
    again = {"images": [], "annotations": [], "categories": truth["categories"]}
    found = []
    for new, i in enumerate(sorted(drawn)):
        old = truth["images"][i]["id"]
        again["images"].append(truth["images"][i] | {"id": new})
        for a in truth["annotations"]:
            if a["image_id"] == old:
                again["annotations"].append(a | {"image_id": new, "id": len(again["annotations"]) + 1})
        found += [
            r | {"image_id": new, "score": r["score"] - old * 1e-9} for r in results if r["image_id"] == old
        ]
    single = [r | {"score": r["score"] - r["image_id"] * 1e-9} for r in results]  # no ties between images
    weights = np.bincount(drawn, minlength=120)[None]
    from cvlab.coco.read import read_truth

    ours = certainty._weighted_map(read_truth(truth), single, weights, np.array([0.5, 0.75]))[0]
    aps = evaluate(again, found).aps[0][[0, 5]]
    assert ours == pytest.approx(aps[aps > -1].mean(), abs=1e-9)


def test_a_detector_does_not_differ_from_itself_and_a_worse_one_does():
    truth = recorded("truth")
    same = certainty.bootstrap_difference(truth, recorded("A"), recorded("A"), rounds=50)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    gap = certainty.bootstrap_difference(truth, recorded("A"), recorded("B"), rounds=200)
    numbers = [evaluate(truth, recorded(name)).numbers["AP"] for name in "AB"]
    assert gap.value == pytest.approx(numbers[0] - numbers[1], abs=1e-12)
    assert 0 < gap.low < gap.value < gap.high
    assert repr(gap).startswith("difference +0.165, 95 % interval +")
    again = certainty.bootstrap_difference(truth, recorded("A"), recorded("B"), rounds=200)
    assert np.array_equal(gap.samples, again.samples)


def test_recorded_files_are_what_their_script_makes():
    spec = importlib.util.spec_from_file_location("make_detections", data_dir() / "make_detections.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, content in script.build().items():
        assert json.loads((data_dir() / "annotations" / name).read_text("utf-8")) == content, name


def test_an_images_errors_do_not_depend_on_the_others():
    truth = recorded("truth")
    alone = truth | {"images": truth["images"][7:8]}
    alone["annotations"] = [a for a in truth["annotations"] if a["image_id"] == truth["images"][7]["id"]]
    image = truth["images"][7]["id"]
    wanted = [r for r in detect(truth, DETECTORS["B"], seed=2) if r["image_id"] == image]
    assert detect(alone, DETECTORS["B"], seed=2) == wanted
    assert detect(alone, DETECTORS["B"], seed=5) != wanted
