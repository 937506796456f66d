"""The growing table as recorded: what stands there is what its script makes, way by way and seed by seed."""

import importlib.util

import pytest

from cvlab import settings
from cvlab.regions import records
from cvlab.world.scenes import make_scene


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("make_detection", settings.data_dir() / "make_detection.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_record_is_of_the_scripts_scenes_seeds_and_ways(recipe):
    record = records.record()
    assert (record["size"], record["scenes"]) == (recipe.SIZE, recipe.SCENES)
    for way, one in record["ways"].items():
        assert way in records.WAYS
        assert [run["seed"] for run in one["runs"]] == list(recipe.SEEDS)
        assert one["passes"] >= 1
        assert one["ratio"] > 0
        for style in recipe.STYLES:
            assert all(0 <= run[style]["AP"] <= run[style]["AP50"] <= 1 for run in one["runs"])


def test_the_scripts_ways_stand_in_the_lessons_order(recipe):
    ways = list(recipe.WAYS)
    assert ways == [way for way in records.WAYS if way in ways]


def test_rows_end_where_asked_and_scale_times_by_a_pass():
    rows = records.rows(until="Fast R-CNN")
    assert rows[-1]["way"] == "Fast R-CNN"
    slower = records.rows(until="Fast R-CNN", ms=20)
    assert slower[-1]["ms a scene"] == pytest.approx(
        20 * records.record()["ways"]["Fast R-CNN"]["ratio"], abs=0.1
    )
    assert {row["way"] for row in rows} <= set(records.WAYS)


def test_unseen_scenes_are_other_rows():
    assert records.rows(style="unseen") != records.rows(style="seen")
    with pytest.raises(ValueError, match="style must be one of"):
        records.rows(style="val")


def test_an_unknown_way_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'Fast R-CNN'"):
        records.rows(until="fast r-cnn")


def test_what_is_kept_is_not_measured_again(recipe, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(recipe, "FOLDER", tmp_path)
    monkeypatch.setattr(recipe, "SCENES", 1)
    monkeypatch.setattr(recipe, "one_pass", lambda scenes: 1.0)
    monkeypatch.setattr(recipe, "make_scenes", lambda n, **options: [make_scene(0, size=192)])

    def way(seed):
        asked.append(seed)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return lambda scenes: (
            [{"boxes": s.boxes, "labels": s.labels, "scores": [1.0] * len(s.labels)} for s in scenes],
            1,
        )

    monkeypatch.setattr(recipe, "WAYS", {"R-CNN": way})
    monkeypatch.setattr("sys.argv", ["make_detection.py", str(tmp_path / "kept.jsonl")])
    (tmp_path / "training").mkdir()
    with pytest.raises(KeyboardInterrupt):
        recipe.main()
    recipe.main()
    assert asked == [0, 1, 2, 2]
    written = (tmp_path / "training" / "detection.json").read_text(encoding="utf-8")
    assert '"R-CNN"' in written
    assert written.count('"seed"') == 3
