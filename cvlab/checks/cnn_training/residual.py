"""The exercise of lesson 03 that builds a part of a net: the residual block."""

from typing import NamedTuple

import torch
from torch import nn

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import nets

__all__ = ["RESIDUAL_BLOCK"]


class _Seen(NamedTuple):
    count_of_numbers_it_learns: int
    answer: torch.Tensor
    input_afterwards: torch.Tensor
    count_of_parameters_that_change_nothing: int


def _apply(function, channels_in, channels_out, stride=1):
    """Return the block's answer with fixed numbers in its parameters, and what else tells a block from another."""
    torch.manual_seed(0)
    block = function(channels_in, channels_out, stride).eval()
    x = torch.arange(2 * channels_in * 30).reshape(2, channels_in, 6, 5).cos()
    with torch.no_grad():
        block(x.clone())  # lazy layers take their shape from it
        _fill(block)
        given = x.clone()
        answer = block(given)
    block(x.clone()).sum().backward()
    parameters = list(block.parameters())
    idle = sum(p.grad is None for p in parameters)
    return _Seen(sum(p.numel() for p in parameters), answer, given, idle)


def _fill(block: nn.Module) -> None:
    """Write fixed numbers into all parameters, whichever layers (or none) they belong to."""
    for name, value in block.named_parameters():
        if value.ndim == 1 and name.endswith("weight"):
            value.copy_(torch.linspace(0.8, 1.2, len(value)))
        elif value.ndim == 1:
            value.copy_(torch.linspace(-0.5, 0.5, len(value)))
        else:
            value.copy_(torch.arange(value.numel()).reshape(value.shape).sin() / 2)
    for name, value in block.named_buffers():
        if value.is_floating_point():
            value.fill_(2.0 if "var" in name else 0.1)


class _Other(nn.Module):
    """The two paths as two Sequentials."""

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        first = nn.Conv2d(channels_in, channels_out, (3, 3), (stride, stride), (1, 1), bias=False)
        second = nn.Conv2d(channels_out, channels_out, (3, 3), padding="same", bias=False)
        norms = nn.BatchNorm2d(channels_out), nn.BatchNorm2d(channels_out)
        self.long = nn.Sequential(first, norms[0], nn.ReLU(), second, norms[1])
        same = stride == 1 and channels_in == channels_out
        self.short = nn.Sequential() if same else nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.long(x) + self.short(x))


def _long(block, x):
    return block.norm2(block.conv2(block.norm1(block.conv1(x)).relu()))


def _added(long):
    """Return the block's answer with another long path."""
    return lambda block, x: (long(block, x) + block.shortcut(x)).relu()


_right = _added(_long)


_NEEDED = {
    "where needed": lambda i, o, stride: stride != 1 or i != o,
    "never": lambda i, o, stride: False,
    "always": lambda i, o, stride: True,
    "channels": lambda i, o, stride: i != o,
    "stride": lambda i, o, stride: stride != 1,
    "both": lambda i, o, stride: stride != 1 and i != o,
    "growing": lambda i, o, stride: stride != 1 or i < o,
    "stride 2": lambda i, o, stride: stride == 2 or i != o,
}


def _block(*changes, forward=_right):
    """Return a block class like the right one, with other layers and another way through them."""

    class ResidualBlock(nets.ResidualBlock):
        def __init__(self, channels_in, channels_out, stride=1):
            super().__init__(channels_in, channels_out, stride)
            for change in changes:
                change(self, channels_in, channels_out, stride)

        def forward(self, x):
            return forward(self, x)

    return ResidualBlock


def _shortcut(where="where needed", *, size=1, bias=False, strided=True, norm=False):
    """Change the shortcut: where it has a convolution, and which one."""

    def change(block, i, o, stride):
        conv = nn.Conv2d(i, o, size, stride if strided else 1, size // 2, bias=bias)
        conv = nn.Sequential(conv, nn.BatchNorm2d(o)) if norm else conv
        block.shortcut = conv if _NEEDED[where](i, o, stride) else nn.Identity()

    return change


def _convs(*, size=3, strided=(True, False), padding=1, bias=False, second_from=lambda i, o: o):
    """Change the two convolutions."""

    def change(block, i, o, stride):
        strides = [stride if there else 1 for there in strided]
        block.conv1 = nn.Conv2d(i, o, size, strides[0], padding, bias=bias)
        block.conv2 = nn.Conv2d(second_from(i, o), o, size, strides[1], padding, bias=bias)

    return change


def _norms(first, second=None):
    """Change the two norms; without `second` both are made alike."""

    def change(block, i, o, stride):
        block.norm1, block.norm2 = first(i, o), (second or first)(i, o)

    return change


def _one_norm(block, i, o, stride):
    block.norm2 = block.norm1


def _writes_into_x(block, x):
    short = block.shortcut(x)
    y = _long(block, x)
    short += y
    return short.relu()


def _x_overwritten(block, x):
    x = block.norm1(block.conv1(x)).relu()
    return (block.norm2(block.conv2(x)) + x).relu()


class _MadeInForward(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.shape = channels_in, channels_out, stride

    def forward(self, x):
        return nets.ResidualBlock(*self.shape)(x)


class _NoSuper(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1):
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3)


RESIDUAL_BLOCK = Exercise(
    name="ResidualBlock",
    lesson="03",
    minutes=10,
    difficulty="medium",
    reference=nets.ResidualBlock,
    other=_Other,
    cases=lambda: [Case(2, 2), Case(2, 4), Case(4, 2), Case(2, 2, 2), Case(3, 5, 2), Case(2, 2, 3)],
    apply=_apply,
    tolerance=1e-4,
    any_float=True,
    mistakes=[
        Mistake("no shortcut", _block(forward=lambda b, x: _long(b, x).relu()), "The input is never added, so this is a plain pair of layers. Add `self.shortcut(x)` before the last ReLU."),
        Mistake("no last ReLU", _block(forward=lambda b, x: _long(b, x) + b.shortcut(x)), "The ReLU after the addition is missing."),
        Mistake("ReLU before the addition", _block(forward=lambda b, x: _long(b, x).relu() + b.shortcut(x)), "The last ReLU comes before the addition, so a block can only add. It comes after."),
        Mistake("ReLU before and after the addition", _block(forward=_added(lambda b, x: _long(b, x).relu())), "There is one ReLU too many, before the addition, so the long path can only add. Only the sum gets one."),
        Mistake("no ReLU between", _block(forward=_added(lambda b, x: b.norm2(b.conv2(b.norm1(b.conv1(x)))))), "Without a ReLU between them, two convolutions are one. Put it after the first norm."),
        Mistake("ReLU before the norm", _block(forward=_added(lambda b, x: b.norm2(b.conv2(b.norm1(b.conv1(x).relu()))))), "Your first ReLU comes before the norm. The order is conv, norm, ReLU."),
        Mistake("multiplied", _block(forward=lambda b, x: (_long(b, x) * b.shortcut(x)).relu()), "The two paths are multiplied. Add them: then the gradient passes unchanged."),
        Mistake("subtracted", _block(forward=lambda b, x: (_long(b, x) - b.shortcut(x)).relu()), "The input is subtracted. Add it."),
        Mistake("writes into x", _block(forward=_writes_into_x), "Where the shortcut is the input itself, `+=` writes into the caller's tensor. Make a new one: `y + self.shortcut(x)`."),
        Mistake("x overwritten", _block(forward=_x_overwritten), "You add what the first layers made of x, not x itself: its name was used again. Keep the input until the addition."),
        Mistake("one norm used twice", _block(forward=_added(lambda b, x: b.norm1(b.conv2(b.norm1(b.conv1(x)).relu())))), "`forward` uses one norm twice and the other never. Each convolution has its own."),
        Mistake("first convolution used twice", _block(forward=_added(lambda b, x: b.norm2(b.conv1(b.norm1(b.conv1(x)).relu())))), "`forward` uses the first convolution twice and the second never: conv1, then conv2."),
        Mistake("second convolution used twice", _block(forward=_added(lambda b, x: b.norm2(b.conv2(b.norm1(b.conv2(x)).relu())))), "`forward` uses the second convolution twice and the first never: conv1, then conv2."),
        Mistake("second half forgotten", _block(forward=_added(lambda b, x: b.norm1(b.conv1(x)))), "The second convolution and its norm are made but never used: conv, norm, ReLU, conv, norm."),
        Mistake("identity everywhere", _block(_shortcut("never")), "The shortcut is the bare input even where channels or size change. There it needs a 1 x 1 convolution with the same stride."),
        Mistake("stride forgotten in the shortcut's rule", _block(_shortcut("channels")), "With a stride of 2 and equal channels the input is still twice as large. The shortcut needs its convolution there, too."),
        Mistake("channels forgotten in the shortcut's rule", _block(_shortcut("stride")), "With a stride of 1 the channels may still change. The shortcut needs its convolution there, too."),
        Mistake("shortcut only where both change", _block(_shortcut("both")), "The shortcut needs its convolution where the stride or the channels change; you ask for both at once."),
        Mistake("shortcut only where channels grow", _block(_shortcut("growing")), "Channels may also become fewer. The shortcut needs its convolution wherever they differ: `channels_in != channels_out`."),
        Mistake("shortcut only for a stride of 2", _block(_shortcut("stride 2")), "Every stride but 1 makes the map smaller, not only 2: `stride != 1`."),
        Mistake("convolution everywhere", _block(_shortcut("always")), "Where nothing changes shape, the shortcut is the input itself: no weights, no convolution."),
        Mistake("no stride in the shortcut", _block(_shortcut(strided=False)), "The shortcut's convolution lacks the stride, so its map is larger than the long path's. Give it the same stride."),
        Mistake("norm in the shortcut", _block(_shortcut(norm=True)), "There is a BatchNorm behind the shortcut's convolution. Many published blocks have one; here the shortcut is the bare convolution."),
        Mistake("3 x 3 in the shortcut", _block(_shortcut(size=3)), "The shortcut's convolution is 3 x 3. It only has to fit channels and size: 1 x 1, no padding."),
        Mistake("bias in the shortcut", _block(_shortcut(bias=True)), "The shortcut's convolution has a bias. The text asks for none: `bias=False`."),
        Mistake("stride in the second convolution", _block(_convs(strided=(False, True))), "The second convolution has the stride. The first one takes it; the second keeps the size."),
        Mistake("stride twice", _block(_convs(strided=(True, True))), "Both convolutions have the stride. Only the first one; the second keeps the size."),
        Mistake("stride ignored", _block(_convs(strided=(False, False)), _shortcut(strided=False)), "stride changes nothing in your answer. The first convolution takes it, and the shortcut's, too."),
        Mistake("no padding", _block(_convs(padding=0)), "The convolutions lose their border, so the paths no longer fit. `padding=1` keeps the size."),
        Mistake("no norm", _block(_norms(lambda i, o: nn.Identity())), "The BatchNorm layers are missing: one after each 3 x 3 convolution."),
        Mistake("one norm for both", _block(_one_norm), "Both convolutions share one BatchNorm. Each has numbers of its own to normalise: make two."),
        Mistake("biases", _block(_convs(bias=True)), "The convolutions have biases, which the BatchNorm behind them takes off again. `bias=False`."),
        Mistake("biases everywhere", _block(_convs(bias=True), _shortcut(bias=True)), "All your convolutions have biases. None is asked for: the BatchNorm behind takes them off again. `bias=False`."),
        Mistake("norms never used", _block(forward=_added(lambda b, x: b.conv2(b.conv1(x).relu()))), "The norms are made but `forward` never calls them: conv, norm, ReLU, conv, norm."),
        Mistake("first norm never used", _block(forward=_added(lambda b, x: b.norm2(b.conv2(b.conv1(x).relu())))), "The first norm is made but `forward` never calls it: conv, norm, ReLU, conv, norm."),
        Mistake("second norm never used", _block(forward=_added(lambda b, x: b.conv2(b.norm1(b.conv1(x)).relu()))), "The second norm is made but `forward` never calls it: conv, norm, ReLU, conv, norm."),
        Mistake("joined side by side", _block(forward=lambda b, x: torch.cat([_long(b, x), b.shortcut(x)], dim=1).relu()), "You put the two paths side by side (cat). Add them: the shape stays, and the gradient passes unchanged."),
        Mistake("another norm", _block(_norms(lambda i, o: nn.GroupNorm(1, o))), "That norm is another one. BatchNorm2d takes mean and spread of each channel over the batch: `nn.BatchNorm2d(channels_out)`."),
        Mistake("norm of each picture", _block(_norms(lambda i, o: nn.InstanceNorm2d(o, affine=True))), "InstanceNorm looks at each picture alone. BatchNorm2d takes mean and spread over the batch: `nn.BatchNorm2d(channels_out)`."),
        Mistake("layers made in forward", _MadeInForward, "Your layers are made anew in each `forward`, so they forget what they learnt, and no optimizer sees them. Make them in `__init__`."),
        Mistake("5 x 5", _block(_convs(size=5, padding=2)), "Your convolutions are 5 x 5. The text asks for 3 x 3, `padding=1`."),
        Mistake("leaky ReLU", _block(forward=lambda b, x: nn.functional.leaky_relu(b.norm2(b.conv2(nn.functional.leaky_relu(b.norm1(b.conv1(x))))) + b.shortcut(x))), "You use a leaky ReLU. The text asks for the plain one, which lets nothing negative pass."),
        Mistake("super().__init__() forgotten", _NoSuper, "A module has to be set up before it can keep layers: `super().__init__()` first in your `__init__`."),
        Mistake("second convolution from channels_in", _block(_convs(second_from=lambda i, o: i)), "The second convolution sees what the first one made: it goes from `channels_out` to `channels_out`."),
        Mistake("norm of the input", _block(_norms(lambda i, o: nn.BatchNorm2d(i), lambda i, o: nn.BatchNorm2d(o)), forward=_added(lambda b, x: b.norm2(b.conv2(b.conv1(b.norm1(x)).relu())))), "Your first norm comes before the first convolution. The order is conv, norm, ReLU, conv, norm."),
    ],
    hints=[
        "The long path: conv 3 x 3 (with `stride`, `padding=1`, `bias=False`), norm, ReLU, conv 3 x 3, norm.",
        "The short path is the bare input, but a 1 x 1 convolution where channels or stride change the "
        "shape:\n"
        "    self.shortcut = nn.Identity()\n"
        "    if stride != 1 or channels_in != channels_out:\n"
        "        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)",
        "Both paths meet before the last ReLU:\n"
        "    y = self.norm1(self.conv1(x)).relu()\n"
        "    y = self.norm2(self.conv2(y))\n"
        "    return (y + self.shortcut(x)).relu()",
    ],
    note="With the long path at zero and a bare shortcut, what comes in goes out: a block too many does no "
    "harm.",
)  # fmt: skip
