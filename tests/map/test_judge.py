"""`judge`: detections as torchvision writes them, against scenes."""

import numpy as np
import pytest
import torch

from cvlab.map.judge import judge
from cvlab.world.scenes import make_scenes

SCENES = make_scenes(3, size=96)


def answers(**changes):
    return [
        {
            "boxes": torch.from_numpy(s.boxes),
            "labels": torch.from_numpy(s.labels),
            "scores": torch.ones(len(s.labels)),
            "masks": s.masks,
        }
        | changes
        for s in SCENES
    ]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_truth_itself_is_perfect(kind):
    assert judge(SCENES, answers(), kind=kind).numbers["AP"] == 1


def test_no_answer_scores_nothing():
    nothing = {"boxes": np.zeros((0, 4)), "labels": [], "scores": []}
    assert judge(SCENES, [nothing] * 3).numbers["AP"] == 0


def test_a_wrong_class_scores_nothing_and_a_wrong_score_changes_no_perfect_answer():
    other = [one | {"labels": (one["labels"] + 1) % 17} for one in answers()]
    assert judge(SCENES, other).numbers["AP"] < 0.2
    low = [one | {"scores": one["scores"] * 0.1} for one in answers()]
    assert judge(SCENES, low).numbers["AP"] == 1


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="one dict a scene, 3; got 1"):
        judge(SCENES, answers()[:1])
    with pytest.raises(ValueError, match="it lacks masks"):
        judge(SCENES, [{"boxes": [], "labels": [], "scores": []}] * 3, kind="segm")
    found = answers()
    found[1]["labels"] = found[1]["labels"] * 0 + 17
    with pytest.raises(ValueError, match=r"found\[1\]\['labels'\] must be 0 to 16.*subtract 1"):
        judge(SCENES, found)
