"""Label maps: every pixel has the class of the one mask that covers it."""

from dataclasses import replace

import numpy as np
import pytest

from cvlab.coco.write import to_coco
from cvlab.segmentation.targets import GROUP_OF, GROUPS, NAMES, label_map
from cvlab.world.scenes import make_scene, make_scenes


def test_every_pixel_is_its_masks_class():
    for scene in make_scenes(20, split="val"):
        found = label_map(scene)
        assert (found == 0).sum() == (~scene.masks.any(axis=0)).sum()
        for mask, label in zip(scene.masks, scene.labels, strict=True):
            assert (found[mask] == label + 1).all()


def test_groups_are_cocos_supercategories():
    told = {group: [NAMES[k] for k in np.flatnonzero(n == GROUP_OF)] for n, group in enumerate(GROUPS)}
    assert told["background"] == ["background"]
    assert told["animal"] == ["bird", "cat", "cow", "dog", "horse", "sheep"]
    assert told["vehicle"] == ["airplane", "bicycle", "boat", "bus", "car", "motorcycle", "train"]
    assert (told["person"], told["indoor"]) == (["person"], ["bottle", "chair", "tv"])
    scene = make_scene(3)
    assert (label_map(scene, "groups") == GROUP_OF[label_map(scene)]).all()


def test_bad_input_is_told():
    scene = make_scene(0)
    with pytest.raises(ValueError, match="task must be"):
        label_map(scene, "things")
    with pytest.raises(ValueError, match="scene must have the classes airplane.*got cat"):
        label_map(replace(scene, class_names=("cat",)))


@pytest.mark.parametrize("read", [label_map, to_coco])
def test_labels_and_masks_that_do_not_fit_are_told(read):
    scene = make_scene(3)
    for labels, told in (
        (scene.labels * 0 + 17, r"scene.labels must be 0 to 16, .*got labels\[0\] = 17. Counted from 1\?"),
        (scene.labels * 0 - 1, r"got labels\[0\] = -1$"),
        (scene.labels * 0 + 40, r"got labels\[0\] = 40$"),
    ):
        with pytest.raises(ValueError, match=told):
            read(replace(scene, labels=labels))
    n = len(scene.labels)
    for masks in (scene.masks[:, :50], scene.masks[:-1]):
        with pytest.raises(ValueError, match=rf"scene.masks must have shape \({n}, 96, 96\)"):
            read(replace(scene, masks=masks))
