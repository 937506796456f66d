"""Widgets: pictures that answer when you move them. Each is imported when it is first asked for."""

import importlib

_HOME = {
    "BrightnessSlider": "brightness",
    "ChannelExplorer": "channels",
    "ConvArithmetic": "arithmetic",
    "FeatureMaps": "feature_maps",
    "IouBoxes": "iou_boxes",
    "IouThreshold": "iou_to_ap",
    "JpegQuality": "jpeg",
    "KernelLab": "kernel_lab",
    "LossSurface": "loss_surface",
    "PixelGrid": "pixels",
    "PointerWidget": "_pointer",
    "RankingGame": "ranking",
    "ReceptiveField": "field",
    "ResizeExplorer": "resize",
    "ScoreThreshold": "pr_threshold",
    "SliceExplorer": "slices",
    "SlidingKernel": "sliding",
    "TrainingExplorer": "training_explorer",
    "Widget": "_base",
}

__all__ = [
    "BrightnessSlider",
    "ChannelExplorer",
    "ConvArithmetic",
    "FeatureMaps",
    "IouBoxes",
    "IouThreshold",
    "JpegQuality",
    "KernelLab",
    "LossSurface",
    "PixelGrid",
    "RankingGame",
    "ReceptiveField",
    "ResizeExplorer",
    "ScoreThreshold",
    "SliceExplorer",
    "SlidingKernel",
    "TrainingExplorer",
]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(
            f"module 'cvlab.widgets' has no attribute {name!r}; it has: {', '.join(__all__)}"
        )
    return getattr(importlib.import_module(f"cvlab.widgets.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
