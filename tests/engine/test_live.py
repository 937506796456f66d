"""The live curve: grows in place, keeps the history, ends as a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from cvlab.widgets._engine.base import VIEW
from cvlab.widgets.live import LiveCurve

EPOCH = {"loss": 2.3, "accuracy": 0.25}


def test_it_is_live_until_the_last_epoch():
    curve = LiveCurve(2, "a net")
    assert repr(curve) == "a net: 2 epochs to come"
    empty = curve._repr_mimebundle_()[0]["image/png"]
    curve([EPOCH])
    data = curve._repr_mimebundle_()[0]
    assert VIEW in data
    assert data["image/png"] != empty
    assert data["text/plain"] == "a net: epoch 1 of 2, loss 2.300, accuracy 25.0 %"
    curve([EPOCH, EPOCH])
    data, more = curve._repr_mimebundle_()
    assert VIEW not in data
    assert "epoch 2 of 2" in more["image/png"]["alt"]
    assert curve._image.alt == more["image/png"]["alt"]
    assert more["needs_background"] == "light", "a dark page turns it over"


def test_the_view_changes_in_place():
    curve = LiveCurve(3)
    image, before = curve._image, curve._image.value
    curve([EPOCH])
    assert curve._image is image
    assert image.value != before
    assert curve._bar.value == 1
    assert np.asarray(Image.open(io.BytesIO(image.value))).std() > 5
    assert curve.history == [EPOCH]


def test_epochs_must_be_a_number():
    with pytest.raises(ValueError, match="epochs must be at least 1; got 0"):
        LiveCurve(0)
