"""What the widget computes once for all levels is what `grad_cam` says of each."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning.backbone import prepare
from cvlab.transfer_learning.gradcam import grad_cam
from cvlab.widgets import GradCam
from cvlab.widgets.transfer_learning import grad_cam as module


@pytest.fixture(scope="module")
def widget():
    return GradCam()


@pytest.mark.parametrize(("level", "layer"), list(enumerate(module.LEVELS, start=1)))
def test_its_maps_are_those_of_grad_cam(widget, level, layer):
    values = widget.compute(picture=3, answer="2nd", level=level)
    label = widget.classes.index(values["asked"])
    x = prepare(values["image"][None])
    heat = grad_cam(module._own_net(), x, torch.tensor([label]), layer)[0].numpy()
    assert np.allclose(values["heat"], heat, atol=1e-5 + 1e-3 * heat.max())
    inside = heat[values["mask"]].sum() / heat.sum()
    assert values["inside"] == pytest.approx(inside, abs=0.01)


def test_two_pictures_are_named_wrong_and_the_rest_right(widget):
    wrong = []
    for picture in range(1, len(module.CHOSEN) + 1):
        values = widget.compute(picture=picture, answer="1st", level=5)
        wrong.append(values["first"] != values["truth"])
    assert wrong == [False, False, True, True, False, False]
