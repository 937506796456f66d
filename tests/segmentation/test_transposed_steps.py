"""What the widget on transposed convolution computes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvlab.widgets import TransposedSteps
from cvlab.widgets.segmentation.transposed_steps import KERNEL, PICTURE


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_last_step_is_torchs_result(kernel, stride):
    values = TransposedSteps().compute(step=9, kernel=kernel, stride=stride, padding=1)
    x, weight = torch.tensor(PICTURE)[None, None], torch.tensor(KERNEL[:kernel, :kernel])[None, None]
    wanted = F.conv_transpose2d(x.double(), weight.double(), stride=stride, padding=1)[0, 0].numpy()
    assert (values["sum"][1:-1, 1:-1] == wanted).all()
    assert values["output"] == len(wanted)


def test_each_step_adds_one_stamp():
    widget = TransposedSteps()
    before, after = (widget.compute(step=step, kernel=3, stride=2, padding=0)["sum"] for step in (4, 5))
    wanted = np.zeros_like(before)
    wanted[2:5, 2:5] = PICTURE[1, 1] * KERNEL[:3, :3]
    assert (after - before == wanted).all()


@pytest.mark.parametrize(
    ("setting", "touched"),
    [
        ({"kernel": 3, "stride": 2, "padding": 0}, [1, 2, 4]),
        ({"kernel": 2, "stride": 2, "padding": 0}, [1]),
        ({"kernel": 4, "stride": 2, "padding": 2}, [4]),
        ({"kernel": 2, "stride": 3, "padding": 0}, [0, 1]),
        ({"kernel": 2, "stride": 1, "padding": 2}, []),
    ],
)
def test_how_often_a_pixel_is_touched(setting, touched):
    assert TransposedSteps().compute(step=0, **setting)["touched"] == touched
