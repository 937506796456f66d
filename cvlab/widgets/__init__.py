"""Widgets: pictures that answer when you move them. Each is imported when it is first asked for."""

import importlib

_HOME = {
    "BrightnessSlider": "start_here.brightness",
    "ChannelExplorer": "preprocessing.channels",
    "ConvArithmetic": "convolutions.arithmetic",
    "FeatureMaps": "cnn_training.feature_maps",
    "IouBoxes": "map.iou_boxes",
    "IouThreshold": "map.iou_to_ap",
    "JpegQuality": "preprocessing.jpeg",
    "KernelLab": "convolutions.kernel_lab",
    "LossSurface": "cnn_training.loss_surface",
    "PixelGrid": "preprocessing.pixels",
    "PointerWidget": "_engine.pointer",
    "RankingGame": "map.ranking",
    "ReceptiveField": "convolutions.field",
    "ResizeExplorer": "preprocessing.resize",
    "ScoreThreshold": "map.pr_threshold",
    "SliceExplorer": "start_here.slices",
    "SlidingKernel": "convolutions.sliding",
    "TrainingExplorer": "cnn_training.training_explorer",
    "Widget": "_engine.base",
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
