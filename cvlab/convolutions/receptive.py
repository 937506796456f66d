"""Receptive fields: which part of the input can change one number of the output."""

from collections.abc import Iterable, Sequence

import numpy as np

from cvlab import _validate
from cvlab.convolutions.published import PUBLISHED, PUBLISHED_FIELDS, RESNET50_CAFFE, RESNET50_TORCHVISION

__all__ = [
    "PUBLISHED",
    "PUBLISHED_FIELDS",
    "RESNET50_CAFFE",
    "RESNET50_TORCHVISION",
    "gradient_field",
    "receptive_field",
    "seen_cells",
    "spatial_layers",
]


def _stack(value, name: str) -> list[tuple[int, int, int]]:
    """Return (kernel, stride, dilation) for each layer, as whole numbers of at least 1."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of (kernel, stride, dilation); got {value!r}")
    layers = []
    for i, layer in enumerate(value):
        if not isinstance(layer, Sequence) or len(layer) != 3:
            raise ValueError(f"{name}[{i}] must be (kernel, stride, dilation), three numbers; got {layer!r}")
        what = ("kernel", "stride", "dilation")
        layers.append(
            tuple(_validate.positive_int(v, f"{name}[{i}] {w}") for v, w in zip(layer, what, strict=True))
        )
    return layers


@_validate.arguments(layers=_stack)
def receptive_field(layers) -> int:
    """Count the input cells along one axis that can change one output cell of a stack of layers.

    Args:
        layers: (kernel, stride, dilation) of each layer, first layer first.

    Returns:
        The side of the receptive field in input cells; 1 for an empty stack.

    Example:
        >>> receptive_field([(3, 1, 1), (3, 1, 1)]), receptive_field([(3, 2, 1), (3, 1, 1)])
        (5, 7)

    Source: Araujo, Norris, Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill, 2019.
    """
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        step *= stride  # one cell of this layer's output is so many input cells away from the next
    return field


def _padding_a_layer(cell, layers, padding) -> None:
    if len(padding) != len(layers):
        raise ValueError(f"padding must hold one number for each of {len(layers)} layers; got {len(padding)}")


@_validate.arguments(_padding_a_layer, layers=_stack)
def seen_cells(cell: int, layers, padding: Sequence[int]) -> list[list[int]]:
    """List, layer by layer down to the input, the cells that one output cell depends on.

    Args:
        cell: index of the output cell.
        layers: (kernel, stride, dilation) of each layer, first layer first.
        padding: cells added at each end of every layer's input.

    Returns:
        One sorted list of indices for the output, then for each layer's input, the input of the stack last.
        Indices below 0, or beyond a layer's end, lie in its padding.

    Example:
        >>> seen_cells(2, [(3, 1, 2)], padding=[0])
        [[2], [2, 4, 6]]
    """
    found = [[cell]]
    for (kernel, stride, dilation), pad in zip(reversed(layers), reversed(padding), strict=True):
        taps = {c * stride - pad + dilation * k for c in found[-1] for k in range(kernel)}
        found.append(sorted(taps))
    return found


def spatial_layers(model) -> list[tuple[int, int, int]]:
    """Read (kernel, stride, dilation) from a torch model's modules in order; 1 x 1 with stride 1 left out.

    Only right for a network whose modules form one path (side paths with smaller kernels do no harm when they
    are left out first). Square kernels are taken for granted.

    Args:
        model: a `torch.nn.Module`, or an iterable of modules.

    Returns:
        As `receptive_field` takes them.
    """
    from torch import nn

    modules = (
        model.modules() if isinstance(model, nn.Module) else [m for part in model for m in part.modules()]
    )
    layers = []
    for module in modules:
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            numbers = (module.kernel_size, module.stride, getattr(module, "dilation", 1))
            layers.append(tuple(n if isinstance(n, int) else n[0] for n in numbers))
    return [layer for layer in layers if layer[:2] != (1, 1)]


def gradient_field(features, images) -> np.ndarray:
    """Measure which pixels move the middle number of a feature map: the size of its gradient.

    Args:
        features: function from a (B, 3, H, W) tensor to a (B, C, h, w) tensor.
        images: (B, 3, H, W) float tensor.

    Returns:
        (H, W) floats: the mean over pictures of |d (sum of the middle cell's channels) / d pixel|, summed over
        colours. Exactly 0 outside the receptive field.

    Source: Luo et al., Understanding the Effective Receptive Field, NeurIPS 2016.
    """
    import torch

    total = torch.zeros(images.shape[2:])  # (H, W)
    for image in images:  # one at a time, to save memory
        pixels = image[None].clone().requires_grad_()  # (1, 3, H, W)
        maps = features(pixels)  # (1, C, h, w)
        middle = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2]  # (C,)
        (gradient,) = torch.autograd.grad(middle.sum(), pixels)
        total += gradient[0].abs().sum(dim=0)
    return (total / len(images)).numpy()
