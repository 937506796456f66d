"""Where a classifier looked: Grad-CAM and occlusion, and two scores of such a map against an exact mask."""

from copy import deepcopy

import torch
import torch.nn.functional as F

from cvlab import _validate
from cvlab.transfer_learning.linear import linear_probe

__all__ = ["energy_inside", "grad_cam", "occlusion", "pointing_game", "ten_class_net"]


def ten_class_net(train):
    """Return a frozen EfficientNet-Lite0 whose new head, one linear layer, has learnt `train`.

    Args:
        train: `cvlab.world.single.Pictures`.

    Returns:
        A network from (N, 3, H, W) to one logit a class of `train`.

    Example:
        >>> from cvlab.world.single import make_pictures
        >>> ten_class_net(make_pictures(20, size=64))(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 10])

    Source: Kornblith, Shlens and Le, Do Better ImageNet Models Transfer Better?, CVPR 2019.
    """
    from cvlab.transfer_learning.backbone import features, folded

    net = deepcopy(folded())
    net.reset_classifier(0)  # no head: (N, 1280)
    inputs, labels = features(net, train.images), torch.from_numpy(train.labels)
    net.classifier = linear_probe(inputs, labels, C=0.01)
    return net


def _asked_well(net, x, classes, layer) -> None:
    _batch(x, classes)
    layers = {name: module for name, module in net.named_modules() if name}
    if layer not in layers:
        near = _validate.nearest(layer, layers) or ". print(net) shows them"
        raise ValueError(f"layer must be a name of net.named_modules(); got {layer!r}{near}")
    if not torch.is_grad_enabled():
        raise RuntimeError("grad_cam needs gradients: call it outside no_grad() and inference_mode()")
    shapes = []
    hook = layers[layer].register_forward_hook(lambda module, given, out: shapes.append(tuple(out.shape)))
    try:
        with torch.no_grad():
            _in_range(classes, net(x[:1]).shape[1])
    finally:
        hook.remove()
    if not shapes or len(shapes[0]) != 4:
        got = shapes[0] if shapes else "nothing: it is not used"
        raise ValueError(f"layer must put out maps (N, C, h, w); {layer!r} puts out {got}")


def _batch(x, classes) -> None:
    if not torch.is_tensor(x) or x.ndim != 4 or not x.is_floating_point() or not len(x):
        got = tuple(x.shape) if hasattr(x, "shape") else type(x).__name__
        slip = ". One picture? x[None]" if torch.is_tensor(x) and x.ndim == 3 else ""
        raise ValueError(f"x must be a tensor (N, 3, H, W) of floats; got {got}{slip}")
    if not torch.is_tensor(classes) or classes.shape != (len(x),) or classes.dtype != torch.int64:
        got = f"{tuple(classes.shape)} {classes.dtype}" if torch.is_tensor(classes) else repr(classes)
        raise ValueError(f"classes must be a tensor ({len(x)},) int64, one a picture; got {got}")


def _in_range(classes, count: int) -> None:
    if classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"classes must be 0 to {count - 1}; got {classes.tolist()}")


@_validate.arguments(_asked_well)
def grad_cam(net, x: torch.Tensor, classes: torch.Tensor, layer: str) -> torch.Tensor:
    """Return where each picture speaks for a class, seen from one layer of a network.

    The layer's maps are added, each weighted by how much the class's logit rises with it; what is negative is dropped.
    It works for frozen networks, and takes memory only from the layer on.

    Args:
        net: a network from (N, 3, H, W) to (N, K) logits.
        x: (N, 3, H, W) float, prepared.
        classes: (N,) int64, the class to ask about, 0 to K - 1.
        layer: name of a layer that puts out maps, as in `net.named_modules()`.

    Returns:
        (N, H, W) float, 0 and more; not scaled, and all 0 where nothing speaks for the class.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        >>> grad_cam(net, torch.zeros(2, 3, 8, 8), torch.tensor([0, 3]), "0").shape
        torch.Size([2, 8, 8])

    Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017.
    """
    kept = []

    def keep(module, inputs, output):
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()  # an in-place ReLU may follow

    handle = net.get_submodule(layer).register_forward_hook(keep)
    try:
        logits = net(x)  # (N, K)
    finally:
        handle.remove()
    maps = kept[0]  # (N, C, h, w)
    asked = logits[torch.arange(len(x)), classes].sum()
    (slopes,) = torch.autograd.grad(asked, maps)
    weights = slopes.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    heat = (weights * maps).sum(dim=1, keepdim=True).relu()
    heat = F.interpolate(heat, x.shape[2:], mode="bilinear")
    return heat[:, 0].detach()  # (N, H, W)


def _patches_fit(net, x, label, patch, stride) -> None:
    if not torch.is_tensor(x) or x.ndim != 3 or not x.is_floating_point():
        got = tuple(x.shape) if hasattr(x, "shape") else type(x).__name__
        raise ValueError(f"x must be one picture, (3, H, W) floats; got {got}")
    if patch > min(x.shape[1:]):
        raise ValueError(f"patch must fit into the picture of {tuple(x.shape[1:])}; got {patch}")
    with torch.inference_mode():
        _in_range(torch.tensor([label]), net(x[None]).shape[1])


@_validate.arguments(_patches_fit, patch=_validate.positive_int, stride=_validate.positive_int)
def occlusion(net, x: torch.Tensor, label: int, patch: int = 56, stride: int = 28) -> torch.Tensor:
    """Slide a grey patch over a picture: how much of a class's probability is lost where it lies?

    Args:
        net: a network from (N, 3, H, W) to (N, K) logits.
        x: (3, H, W) float, one prepared picture, 0 being grey.
        label: the class to ask about.
        patch: side of the patch in pixels.
        stride: pixels from one place to the next.

    Returns:
        (rows, cols) float, the drop of the probability for each place; below 0 where hiding helps.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        >>> occlusion(net, torch.ones(3, 8, 8), 0, patch=4, stride=2).shape
        torch.Size([3, 3])

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.
    """
    rows = range(0, x.shape[1] - patch + 1, stride)
    cols = range(0, x.shape[2] - patch + 1, stride)
    covered = x.repeat(len(rows) * len(cols), 1, 1, 1)
    places = [(row, col) for row in rows for col in cols]
    for copy, (row, col) in zip(covered, places, strict=True):
        copy[:, row : row + patch, col : col + patch] = 0
    with torch.inference_mode():
        before = net(x[None]).softmax(dim=1)[0, label]
        parts = [net(part).softmax(dim=1) for part in covered.split(5)]
    after = torch.cat(parts)[:, label]
    return (before - after).reshape(len(rows), len(cols))


def _alike(heat, masks) -> None:
    if not torch.is_tensor(heat) or heat.ndim != 3 or heat.shape != masks.shape:
        got = f"{tuple(getattr(heat, 'shape', ()))} and {tuple(getattr(masks, 'shape', ()))}"
        raise ValueError(f"heat and masks must have one shape, (N, H, W); got {got}")
    if masks.dtype != torch.bool:
        raise ValueError(f"masks must be bool; got {masks.dtype}")
    if heat.min() < 0:
        raise ValueError(f"heat must be 0 and more; got {heat.min().item():.3g}. heat.relu()?")


@_validate.arguments(_alike)
def energy_inside(heat: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return the share of each map's sum that lies on the object; a flat map gets the object's share of the area.

    Args:
        heat: (N, H, W) float, 0 and more.
        masks: (N, H, W) bool, the object's pixels.

    Returns:
        (N,) float in [0, 1]; nan for a map that is 0 everywhere.

    Example:
        >>> energy_inside(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[[True, False]]]))
        tensor([0.7500])

    Source: Wang et al., Score-CAM, CVPR Workshops 2020 (the "energy-based pointing game").
    """
    return (heat * masks).sum(dim=(1, 2)) / heat.sum(dim=(1, 2))


@_validate.arguments(_alike)
def pointing_game(heat: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Tell for each map whether its largest number lies on the object.

    Args:
        heat: (N, H, W) float, 0 and more.
        masks: (N, H, W) bool, the object's pixels.

    Returns:
        (N,) bool.

    Example:
        >>> pointing_game(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[[False, True]]]))
        tensor([False])

    Source: Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016.
    """
    peak = heat.flatten(1).argmax(dim=1)
    return masks.flatten(1)[torch.arange(len(heat)), peak]
