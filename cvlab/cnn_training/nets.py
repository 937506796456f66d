"""The networks of lesson 03: from fully connected to residual, for pictures of 32 x 32."""

import contextlib

import torch
from torch import nn

from cvlab._validate import arguments, positive_int

__all__ = [
    "NETS",
    "AddInput",
    "ResidualBlock",
    "count_parameters",
    "deep_net",
    "dense_net",
    "he_init",
    "layer_table",
    "lenet",
    "make",
    "modes_kept",
    "norm_net",
    "small_resnet",
    "stacked_net",
]


def dense_net(classes: int = 10) -> nn.Module:
    """Fully connected: every number of a (3, 32, 32) picture meets each of 128 units.

    Example:
        >>> count_parameters(dense_net())
        397802
    """
    return nn.Sequential(
        nn.Flatten(),  # (B, 3, 32, 32) -> (B, 3072)
        nn.Linear(3072, 128),
        nn.ReLU(),
        nn.Linear(128, 32),
        nn.ReLU(),
        nn.Linear(32, classes),
    )


def lenet(classes: int = 10, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """LeNet-style: 6 and 16 kernels of 5 x 5, each followed by pooling, then three dense layers.

    `activation` stands behind each layer but the last: `nn.ReLU`, or `nn.Tanh` as in 1998.

    Example:
        >>> count_parameters(lenet())
        62006

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998.
    """
    return nn.Sequential(
        nn.Conv2d(3, 6, 5),
        activation(),
        nn.MaxPool2d(2),  # (B, 6, 14, 14)
        nn.Conv2d(6, 16, 5),
        activation(),
        nn.MaxPool2d(2),  # (B, 16, 5, 5)
        nn.Flatten(),  # (B, 400)
        nn.Linear(400, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, classes),
    )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions that learn what to add to their input.

    The shortcut is the input itself, or a 1 x 1 convolution where channels or stride change the shape.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        stride: 1 keeps height and width, 2 halves them.

    Example:
        >>> ResidualBlock(16, 32, stride=2)(torch.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 32, 4, 4])

    Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016.
    """

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()  # (B, channels_out, H / stride, W / stride)
        y = self.norm2(self.conv2(y))
        return (y + self.shortcut(x)).relu()


def small_resnet(classes: int = 10, width: int = 16) -> nn.Module:
    """Two residual blocks behind a convolution that halves the picture; global max pooling at the end.

    Example:
        >>> count_parameters(small_resnet())
        73178
    """
    w = positive_int(width, "width")
    return nn.Sequential(
        nn.Conv2d(3, w, 3, stride=2, padding=1, bias=False),  # (B, w, 16, 16)
        nn.BatchNorm2d(w),
        nn.ReLU(),
        ResidualBlock(w, 2 * w, stride=2),  # (B, 2w, 8, 8)
        ResidualBlock(2 * w, 4 * w, stride=2),  # (B, 4w, 4, 4)
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),  # (B, 4w)
        nn.Linear(4 * w, classes),
    )


class AddInput(nn.Module):
    """Adds its input to what the layers inside make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return (x + self.layers(x)).relu()


def he_init(net: nn.Module) -> nn.Module:
    """Draw the weights of every convolution with variance 2 / fan_in, and set the biases to 0.

    A layer with ReLU then hands its signals on in the size in which they came. (torch's default is 1 / (3 fan_in). The
    dense layer at the end has no ReLU behind it and stays as it is.)

    Args:
        net: changed in place.

    Returns:
        `net`.

    Example:
        >>> layer = he_init(nn.Conv2d(200, 300, 1))
        >>> round(layer.weight.var().item(), 3), layer.bias.abs().max().item()
        (0.01, 0.0)

    Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers, 2015; `torch.nn.init.kaiming_normal_`.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()  # numbers that meet in one output
            nn.init.normal_(layer.weight, 0, (2 / fan_in) ** 0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


def _even(value, name: str) -> int:
    depth = positive_int(value, name, least=4)
    if depth % 2:
        raise ValueError(f"{name} must be even, because shortcuts go round pairs of layers; got {depth}")
    return depth


@arguments(depth=_even)
def deep_net(depth: int = 20, *, shortcuts=False, norm=False, width: int = 8, classes: int = 10) -> nn.Module:
    """`depth` weighted layers: plain, or the same layers with a shortcut round each pair.

    Args:
        depth: an even number from 4: a first convolution, depth - 2 more, and a dense layer.
        shortcuts: False is the plain net; both have the same parameters.
        norm: BatchNorm behind each convolution, in place of its bias.
        width: channels.
        classes: outputs.

    Example:
        >>> count_parameters(deep_net(shortcuts=True)) == count_parameters(deep_net(shortcuts=False))
        True

    Source: the comparison of He et al., 2016, their figure 1, made small.
    """

    def conv(channels, stride=1):
        layer = nn.Conv2d(channels, width, 3, stride, padding=1, bias=not norm)
        return [layer, nn.BatchNorm2d(width)] if norm else [layer]

    layers = [*conv(3, stride=4), nn.ReLU()]  # (B, width, 8, 8)
    for _ in range((depth - 2) // 2):
        pair = [*conv(width), nn.ReLU(), *conv(width)]
        layers += [AddInput(*pair)] if shortcuts else [*pair, nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def stacked_net(kernels: tuple[int, ...], width: int = 16, classes: int = 10) -> nn.Module:
    """A small net whose one wide stage is built from `kernels`: (5,) is one 5 x 5, (3, 3) is two 3 x 3.

    Example:
        >>> count_parameters(stacked_net((5,))) > count_parameters(stacked_net((3, 3)))
        True
    """
    layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]  # (B, width, 16, 16)
    for k in kernels:
        layers += [nn.Conv2d(width, width, k, padding=k // 2), nn.ReLU()]
    layers += [nn.MaxPool2d(4), nn.Flatten(), nn.Linear(16 * width, classes)]  # (B, width, 4, 4)
    return nn.Sequential(*layers)


def norm_net(*, norm: bool, width: int = 16, classes: int = 10) -> nn.Module:
    """Four 3 x 3 convolutions, with or without BatchNorm behind each.

    Example:
        >>> norm_net(norm=True)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    layers, channels = [], 3
    for stride in (2, 2, 2, 1):
        layers += [nn.Conv2d(channels, width, 3, stride, padding=1)]
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * width, classes))  # (B, width, 4, 4)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers of `model` are learnt."""
    return sum(p.numel() for p in model.parameters())


NETS = {"dense": dense_net, "lenet": lenet, "resnet": small_resnet}


def make(name: str, seed: int = 0, classes: int = 10) -> nn.Module:
    """Return a new network by name, "dense", "lenet" or "resnet", its weights drawn from `seed`.

    The random state of the caller stays as it was.
    """
    from cvlab._validate import one_of

    build = NETS[one_of(name, "name", tuple(NETS))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(classes)


@contextlib.contextmanager
def modes_kept(model: nn.Module):
    """Leave each part of `model` in training or evaluation mode as it was, whatever happens meanwhile.

    Example:
        >>> model = lenet().train()
        >>> with modes_kept(model):
        ...     model.eval().training
        False
        >>> model.training
        True
    """
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def layer_table(model: nn.Module, size: int = 224) -> list[dict]:
    """Count what each convolution and dense layer of `model` costs for one (3, size, size) picture.

    The model is left as it was, also after an error. It may live on the "meta" device, where tensors have shapes
    and no numbers.

    Returns:
        One dict a layer: "name", "kind", "parameters", "activations" (numbers it puts out), "multiplies".

    Example:
        >>> [row["parameters"] for row in layer_table(lenet(), 32)]
        [456, 2416, 48120, 10164, 850]
    """
    rows, hooks = [], []

    def note(name):
        def hook(layer, inputs, output):
            weights = layer.weight.numel()
            places = output[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1  # where each kernel is used
            rows.append(
                {
                    "name": name,
                    "kind": type(layer).__name__,
                    "parameters": count_parameters(layer),
                    "activations": output[0].numel(),
                    "multiplies": weights * places,
                }
            )

        return hook

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            hooks.append(layer.register_forward_hook(note(name)))
    try:
        with torch.no_grad(), modes_kept(model):
            model.eval()(torch.zeros(1, 3, size, size, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return rows
