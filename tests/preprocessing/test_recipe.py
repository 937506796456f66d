"""pipeline_for against timm's own pipeline, for recipes of each kind; no weights are needed."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from cvlab.preprocessing.recipe import pipeline_for

PHOTO = (
    np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
)
MODELS = ("resnet18", "tf_efficientnet_lite0", "maxvit_large_tf_384", "vit_small_patch16_224.dino")


def recipe(name):
    return timm.get_pretrained_cfg(name).to_dict()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [np.asarray, Image.fromarray], ids=["array", "pillow"])
def test_pipeline_for_is_timms_own(name, kind):
    """The same pixels; floats differ in their last digit, because timm divides where torchvision multiplies."""
    config = recipe(name)
    library = timm.data.create_transform(**timm.data.resolve_data_config({}, pretrained_cfg=config))
    ours = pipeline_for(config)(kind(PHOTO))
    assert tuple(ours.shape) == config["input_size"]
    assert (ours - library(Image.fromarray(PHOTO))).abs().max() < 1e-6


def test_both_crop_modes_are_among_them():
    assert {recipe(name)["crop_mode"] for name in MODELS} == {"center", "squash"}
    assert {recipe(name)["fixed_input_size"] for name in MODELS} == {True, False}


def test_squash_keeps_the_edges_and_center_does_not():
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, :20] = 255  # a white strip at the left edge
    config = recipe("maxvit_large_tf_384")
    squashed = pipeline_for(config)(picture)
    centred = pipeline_for(config | {"crop_mode": "center"})(picture)
    assert squashed[:, :, 0].min() == pytest.approx(1)
    assert centred.max() == pytest.approx(-1)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"mean": 0}, "lacks input_size, crop_pct, crop_mode, interpolation, std"),
        (224, "config must be a timm pretrained_cfg, a dict; got int"),
        (recipe("resnet18") | {"crop_mode": "border"}, "must be center or squash; got 'border'"),
    ],
)
def test_bad_input_gets_a_clear_error(config, text):
    with pytest.raises((ValueError, TypeError), match=text):
        pipeline_for(config)


def test_the_dtype_is_float32():
    assert pipeline_for(recipe("resnet18"))(PHOTO).dtype == torch.float32
