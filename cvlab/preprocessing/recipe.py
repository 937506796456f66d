"""A pretrained network's own preprocessing, built from the recipe that timm keeps with its weights."""

from collections.abc import Mapping

from cvlab import _validate

__all__ = ["pipeline_for"]

KEYS = ("input_size", "crop_pct", "crop_mode", "interpolation", "mean", "std")
CROP_MODES = ("center", "squash")  # timm has "border" too, for 6 of its 1826 weights


def _recipe(value, name: str):
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a timm pretrained_cfg, a dict; got {type(value).__name__}")
    missing = [key for key in KEYS if key not in value]
    if missing:
        raise ValueError(f"{name} must be a timm pretrained_cfg; it lacks {', '.join(missing)}")
    if value["crop_mode"] not in CROP_MODES:
        known = " or ".join(CROP_MODES)
        raise ValueError(f"{name}['crop_mode'] must be {known}; got {value['crop_mode']!r}")
    return value


@_validate.arguments(config=_recipe)
def pipeline_for(config: dict):
    """Build the preprocessing that a timm model's `pretrained_cfg` asks for.

    Args:
        config: with `input_size` (C, H, W), `crop_pct`, `crop_mode` ("center" or "squash"), `interpolation`,
            `mean`, `std`.

    Returns:
        A `torchvision.transforms.v2.Compose`: (H, W, 3) uint8 array or Pillow picture in, (3, H, W) float
        tensor out.

    Source: `timm.data.create_transform`, whose pixels are the same.
    """
    import torch
    from torchvision.transforms import InterpolationMode, v2

    size = config["input_size"][1]
    scaled = int(size / config["crop_pct"])
    if config["crop_mode"] == "squash":
        scaled = (scaled, scaled)  # both sides, so the shape changes; else the shorter side
    return v2.Compose(
        [
            v2.ToPILImage(),  # an array becomes a Pillow picture, which timm resizes too
            v2.Resize(scaled, InterpolationMode(config["interpolation"])),
            v2.CenterCrop(size),
            v2.ToImage(),  # (C, H, W) tensor, uint8
            v2.ToDtype(torch.float32, scale=True),  # to [0, 1]
            v2.Normalize(config["mean"], config["std"]),
        ]
    )
