"""The record behind the one plot: whole, of equal seconds, and what its recipe makes; and the widget that shows it."""

import importlib.util
import json
import math

import pytest

from cvlab import settings
from cvlab.transfer_learning import records, ways
from cvlab.widgets import PicturesPerClass

TRAINED = ways.WAYS[1:]


@pytest.fixture
def recipe():
    spec = importlib.util.spec_from_file_location("make_transfer", settings.data_dir() / "make_transfer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("task", ["ten", "two"])
def test_every_way_stands_there_with_every_number_and_three_seeds(task):
    record = records.record()
    runs = [run for run in record["runs"] if run["task"] == task]
    found = sorted((run["way"], run["k"], run["seed"]) for run in runs)
    wanted = sorted(
        (way, k, seed) for way in records.WAYS for k in record["counts"][task] for seed in (0, 1, 2)
    )
    assert found == wanted
    assert all(0 <= run["seen"] <= 1 and 0 <= run["unseen"] <= 1 for run in runs)


def test_the_record_is_of_equal_seconds():
    record = records.record()
    for run in record["runs"]:
        if run["way"] in TRAINED:
            budget, cost = record["seconds"][run["task"]], record["cost"][run["way"]]
            assert run["steps"] == int(1000 * budget / (16 * cost))
            assert len(run["losses"]) == 10
            assert all(math.isfinite(loss) for loss in run["losses"])
        else:
            assert run["seconds"] < record["seconds"][run["task"]]


def test_rates_were_chosen_by_val_with_a_seed_of_its_own(recipe):
    for found in records.record()["chosen"].values():
        assert found["best"]["val"] == max(run["val"] for run in found["tried"])
        assert not {"seen", "unseen"} & {key for run in found["tried"] for key in run}
    assert recipe.CHOOSING not in recipe.SEEDS


def test_the_recipe_says_what_the_record_says(recipe):
    record = records.record()
    constants = {"size": "SIZE", "judged": "JUDGED", "counts": "COUNTS", "seconds": "SECONDS", "cost": "COST"}
    for key, name in constants.items():
        assert record[key] == json.loads(json.dumps(getattr(recipe, name)))
    longer = [(run["task"], run["way"]) for run in record["longer"]]
    assert longer == [(task, way) for task, them in recipe.LONGER.items() for way in them]
    assert [run["seed"] for run in record["gentler"]] == list(recipe.SEEDS)


@pytest.mark.slow
def test_a_tiny_recipe_runs_and_goes_on_where_it_stopped(recipe, tmp_path, monkeypatch):
    for name, value in {
        "SIZE": 32,
        "SEEDS": (0,),
        "COUNTS": {"ten": (2,), "two": (1, 2)},
        "JUDGED": {"ten": 10, "two": 4},
        "SECONDS": {"ten": 0.5, "two": 0.5},
        "LONGER": {"ten": {}, "two": {"all": 2}},
        "RATES": {way: grid[:1] for way, grid in recipe.RATES.items()},
    }.items():
        monkeypatch.setattr(recipe, name, value)
    path = tmp_path / "runs.jsonl"
    kept = recipe.Kept(path)
    chosen = recipe.choose(kept, 2)
    runs = recipe.runs_of(kept, "two", chosen) + recipe.longer(kept, "two", chosen)
    assert [run["steps"] for run in recipe.gentler(kept)] == [2]
    assert len(runs) == 2 * 5 + 1
    assert {run["steps"] for run in runs if run["way"] == "all"} == {2, 4}
    path.write_text(path.read_text(encoding="utf-8") + '{"task": "two", "wa', encoding="utf-8")  # killed here
    monkeypatch.setattr(recipe, "trained", None)
    monkeypatch.setattr(recipe, "frozen", None)
    assert recipe.runs_of(recipe.Kept(path), "two", chosen) == runs[:-1]


def test_scores_are_the_records():
    scores = records.scores("seen", "two")
    run = next(
        r for r in records.record()["runs"] if r["task"] == "two" and r["way"] == "all" and r["seed"] == 2
    )
    at = records.record()["counts"]["two"].index(run["k"])
    assert scores["all"][at, 2] == run["seen"]
    with pytest.raises(ValueError, match="style must be one of"):
        records.scores("test")


def test_the_widget_says_what_is_recorded():
    widget = PicturesPerClass()
    values = widget.compute(pictures=32, style="seen")
    at = widget.counts.index(32)
    for way, scores in records.scores("seen").items():
        assert values["seeds"][way] == pytest.approx(100 * scores[at])
    assert values["best"] == max(records.WAYS, key=lambda way: records.scores("seen")[way][at].mean())


def test_only_the_first_lead_of_ten_points_is_the_goal():
    widget = PicturesPerClass()
    states = [(k, style) for k in widget.counts for style in ("seen", "unseen")]
    done = [state for state in states if widget.goal(widget.compute(*state))]
    unseen = records.scores("unseen")
    leads = unseen["all"].mean(1) - unseen["frozen"].mean(1)
    (fewest,) = [k for k, style in done if style == "unseen"]
    at = widget.counts.index(fewest)
    assert len(done) == 1
    assert leads[at] >= 0.1
    assert max(leads[:at]) < 0.1
