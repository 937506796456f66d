"""COCO's format: pycocotools reads our scenes and gives back exactly what we put in."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvlab.coco import write
from cvlab.coco.categories import CATEGORIES, VOC_CLASSES, category_id, coco_name
from cvlab.world import stickers
from cvlab.world.scenes import make_scene, make_scenes

# pycocotools 2.0.x was compiled before NumPy 2 asked for this keyword
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def quiet(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments)


def test_the_eighty_categories():
    ids = [category["id"] for category in CATEGORIES]
    assert len(ids) == len({c["name"] for c in CATEGORIES}) == 80
    assert ids == sorted(ids)
    assert set(range(1, 91)) - set(ids) == {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    assert len({c["supercategory"] for c in CATEGORIES}) == 12


def test_categories_agree_with_torchvision():
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    assert {c["id"]: c["name"] for c in CATEGORIES} == {
        k: name for k, name in enumerate(names) if name not in ("__background__", "N/A")
    }


def test_voc_names():
    names = [coco_name(name) for name in VOC_CLASSES]
    assert len(set(names)) == 20
    assert sum(a != b for a, b in zip(VOC_CLASSES, names, strict=True)) == 6
    assert coco_name("pottedplant") == "potted plant"
    assert all(category_id(name) for name in names)
    with pytest.raises(ValueError, match=r"voc_name must be one of .aeroplane.*got 'airplane'"):
        coco_name("airplane")
    with pytest.raises(ValueError, match=r"got 'sofa'; COCO says 'couch'"):
        category_id("sofa")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_pycocotools_gives_back_the_scenes(tmp_path, split):
    scenes = make_scenes(25, split=split, objects=(0, 6))
    path = write.write_json(write.to_coco(scenes), tmp_path / "annotations.json")
    read = quiet(COCO, str(path))
    assert read.getImgIds() == list(range(1, 26))
    for image_id, scene in zip(read.getImgIds(), scenes, strict=True):
        found = read.loadAnns(read.getAnnIds(image_id))
        assert len(found) == len(scene.labels)
        for k, one in enumerate(found):
            assert np.array_equal(read.annToMask(one).astype(bool), scene.masks[k])
            x, y, width, height = one["bbox"]
            assert [x, y, x + width, y + height] == scene.boxes[k].tolist()
            assert one["bbox"] == mask_utils.toBbox(read.annToRLE(one)).tolist()
            assert one["area"] == scene.masks[k].sum() == mask_utils.area(read.annToRLE(one))
            assert one["iscrowd"] == 0
            name = scene.class_names[scene.labels[k]]
            assert read.loadCats(one["category_id"])[0]["name"] == name
            assert one["category_id"] == category_id(name)


def test_ids_are_unique_and_categories_are_only_those_used():
    data = write.to_coco(make_scenes(20, classes=("dog", "cat")), first_image_id=100)
    ids = [one["id"] for one in data["annotations"]]
    assert len(set(ids)) == len(ids)
    assert min(ids) == 1  # pycocotools takes a match with annotation 0 for no match
    assert data["images"][0]["id"] == 100
    assert [c["name"] for c in data["categories"]] == ["cat", "dog"]
    assert data["categories"][0] == {"id": 17, "name": "cat", "supercategory": "animal"}
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_perfect_results_score_one(tmp_path, kind):
    data = write.to_coco(make_scenes(10))
    truth = quiet(COCO, str(write.write_json(data, tmp_path / "truth.json")))
    results = [
        {
            "image_id": one["image_id"],
            "category_id": one["category_id"],
            "bbox": one["bbox"],
            "segmentation": one["segmentation"],
            "score": 0.9,
        }
        for one in data["annotations"]
    ]
    if kind == "bbox":
        for result in results:
            del result["segmentation"]
    judge = COCOeval(truth, quiet(truth.loadRes, results), kind)
    for step in (judge.evaluate, judge.accumulate, judge.summarize):
        quiet(step)
    assert judge.stats[0] == pytest.approx(1)


def test_save_writes_pictures_and_annotations(tmp_path):
    scenes = make_scenes(3, split="test")
    path = write.save(scenes, tmp_path / "set")
    read = quiet(COCO, str(path))
    for image_id, scene in zip(read.getImgIds(), scenes, strict=True):
        with Image.open(path.parent / "images" / read.loadImgs(image_id)[0]["file_name"]) as image:
            assert np.array_equal(np.array(image), scene.image)


def test_write_json_leaves_no_half_file(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    write.write_json({"old": 1}, target)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write.write_json({"x": float("nan")}, target)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write.write_json({"new": 2}, target)
    assert json.loads(target.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(FileNotFoundError, match="a.json cannot be written: there is no folder"):
        write.write_json({}, tmp_path / "no" / "a.json")


def test_to_coco_errors():
    assert write.to_coco([])["annotations"] == []
    assert len(write.to_coco(make_scene(0))["images"]) == 1
    with pytest.raises(TypeError, match="scenes must be Scene objects; got int"):
        write.to_coco([3])
    with pytest.raises(ValueError, match="scenes must share their class_names"):
        write.to_coco([make_scene(0), make_scene(0, classes=("cat",))])
    with pytest.raises(ValueError, match="one of COCO's 80 categories; got 'frog'"):
        write.to_coco([make_scene(0, classes=("frog",))])
    assert all(category_id(name) for name in stickers.COCO_VOC)
