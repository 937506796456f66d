"""The exercise of lesson 05 that builds a network: the way through a U-Net of any depth."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import unet

__all__ = ["UNET"]


class _Seen(NamedTuple):
    count_of_numbers_it_learns: int
    answer: torch.Tensor
    input_afterwards: torch.Tensor
    count_of_parameters_that_change_nothing: int


def _apply(function, channels_in, classes, widths, height, width):
    """Return the network's answer with fixed numbers in its parameters, and what else tells one from another."""
    torch.manual_seed(0)
    net = function(channels_in, classes, widths).eval()
    x = torch.arange(2 * channels_in * height * width).reshape(2, channels_in, height, width).cos()
    with torch.no_grad():
        for name, value in net.named_parameters():
            if value.ndim == 1 and name.endswith("weight"):
                value.copy_(torch.linspace(0.8, 1.2, len(value)))
            elif value.ndim == 1:
                value.copy_(torch.linspace(-0.5, 0.5, len(value)))
            else:
                value.copy_(torch.arange(value.numel()).reshape(value.shape).sin() / 2)
    given = x.clone()
    answer = net(given)
    answer.square().sum().backward()
    parameters = list(net.parameters())
    idle = sum(p.grad is None for p in parameters)
    return _Seen(sum(p.numel() for p in parameters), answer.detach(), given, idle)


class _Other(unet.UNet):
    """The same by calling itself: a level is what is kept, and what the levels inside make of its half."""

    def forward(self, x):
        return self.out(self._around(self.first(x), 0))

    def _around(self, x, level):
        if level == len(self.down):
            return x
        inner = self._around(self.down[level](F.max_pool2d(x, 2)), level + 1)
        return self.join[level](torch.cat((x, self.up[level](inner)), 1))


def _net(
    *,
    shrink=lambda x: F.max_pool2d(x, 2),
    keep=None,
    skip=None,
    joined=None,
    order=reversed,
    end=None,
    start=None,
):
    """Return a U-Net with another way through the same blocks."""

    class UNet(unet.UNet):
        def forward(self, x):
            x, skips = (start or (lambda net, x: net.first(x)))(self, x), []
            for down in self.down:
                before = x
                small = shrink(x)
                x = down(small)
                skips.append(keep(before, small, x) if keep else before)
            for level in order(range(len(self.down))):
                up = self.up[level](x)
                kept = (skip or (lambda skips, level, up: skips[level]))(skips, level, up)
                both = joined(kept, up) if joined else torch.cat([kept, up], 1)
                x = self.join[level](both)
            return (end or (lambda x: x))(self.out(x))

    return UNet


def _resized(kept, up):
    return F.interpolate(kept, up.shape[-2:])


class _JoinForgotten(unet.UNet):
    def forward(self, x):
        x, skips = self.first(x), []
        for down in self.down:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for level in reversed(range(len(skips))):
            x = skips[level] + self.up[level](x)
        return self.out(x)


class _UpForgotten(unet.UNet):
    def forward(self, x):
        x, skips = self.first(x), []
        for down in self.down:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for level in reversed(range(len(skips))):
            large = F.interpolate(x, scale_factor=2)[:, : skips[level].shape[1]]
            x = self.join[level](torch.cat([skips[level], large], 1))
        return self.out(x)


class _OneLevel(unet.UNet):
    def forward(self, x):
        fine = self.first(x)
        x = self.down[0](F.max_pool2d(fine, 2))
        return self.out(self.join[0](torch.cat([fine, self.up[0](x)], 1)))


class _Stopped(unet.UNet):
    """Goes all the way down, and one level up only; the rest is enlarged."""

    def forward(self, x):
        fine = x = self.first(x)
        for down in self.down:
            x = down(F.max_pool2d(x, 2))
        x = F.interpolate(x, scale_factor=2 ** (len(self.down) - 1))[:, : self.up[0].in_channels]
        return self.out(self.join[0](torch.cat([fine, self.up[0](x)], 1)))


class _LastKept(unet.UNet):
    """The name of the list's place is used up: the finest map is kept for every level."""

    def forward(self, x):
        first = x = self.first(x)
        for down in self.down:
            x = down(F.max_pool2d(x, 2))
        for level in reversed(range(len(self.down))):
            up = self.up[level](x)
            kept = F.interpolate(first, up.shape[-2:]).repeat(1, up.shape[1] // first.shape[1] + 1, 1, 1)
            x = self.join[level](torch.cat([kept[:, : up.shape[1]], up], 1))
        return self.out(x)


def _written_into(kept, up):
    kept += up
    return torch.cat([kept, up], 1)


UNET = Exercise(
    name="UNet",
    lesson="05",
    minutes=10,
    difficulty="medium",
    reference=unet.UNet,
    other=_Other,
    cases=lambda: [
        Case(1, 2, (2, 3), 4, 2),
        Case(3, 2, (2, 3), 6, 4),
        Case(1, 3, (2, 3, 4), 8, 4),
        Case(3, 2, (2, 4, 6, 8), 16, 8),
    ],
    apply=_apply,
    tolerance=1e-4,
    any_float=True,
    equivalent={
        "fine, coarse = (widths[:-1], widths[1:]) before super().__init__()": "neither needs the other",
        "self.join = nn.ModuleList((double_conv(2 * f, f) for f in fine)) before self.up = nn.ModuleList((nn.ConvTranspose2d(c, f, 2, 2) for f, c in zip(fine, coarse, strict=True)))": "the blocks are found by their names",
    },
    mistakes=[
        Mistake("no skips", _net(skip=lambda skips, level, up: torch.zeros_like(up)), "What the way down kept is never joined: zeros stand in its place. `torch.cat([skips[level], up], dim=1)`."),
        Mistake("way up twice", _net(skip=lambda skips, level, up: up), "The enlarged map is joined with itself. Its partner is what the way down kept at that level."),
        Mistake("order of the cat", _net(joined=lambda kept, up: torch.cat([up, kept], 1)), "The two are joined the other way round. The task says: what was kept first, then the enlarged map. A trained file fits one order only."),
        Mistake("added", _net(joined=lambda kept, up: torch.cat([kept + up, kept + up], 1)), "The two maps are added. Put them side by side: `torch.cat([...], dim=1)`, and let `join` weigh them."),
        Mistake("kept after shrinking", _net(keep=lambda before, small, after: F.interpolate(small, before.shape[-2:])), "You keep the map when it is already pooled, so its detail is lost. Keep it before `self.pool`."),
        Mistake("ReLU at the end", _net(end=torch.relu), "A ReLU follows the last convolution, so no class can be voted down. Logits stay free."),
        Mistake("softmax at the end", _net(end=lambda x: x.softmax(1)), "A softmax follows the last convolution. The loss does that itself: return the logits."),
        Mistake("sigmoid at the end", _net(end=torch.sigmoid), "A sigmoid follows the last convolution. The loss does that itself: return the logits."),
        Mistake("argmax at the end", _net(end=lambda x: x.argmax(1, keepdim=True).expand_as(x).float() + 0 * x), "You return the winning class. A loss needs the logits of all of them."),
        Mistake("average pooling", _net(shrink=lambda x: F.avg_pool2d(x, 2)), "You shrink by the mean. The task asks for the largest of each 2 x 2: `self.pool`."),
        Mistake("every second pixel", _net(shrink=lambda x: x[:, :, ::2, ::2]), "You shrink by dropping every second pixel. The task asks for the largest of each 2 x 2: `self.pool`."),
        Mistake("shrunk at the end", _net(end=lambda x: F.max_pool2d(x, 2)), "The answer is half as large as the picture. Every pixel gets its logits: nothing is pooled on the way up."),
        Mistake("not shrunk", _net(shrink=lambda x: x, joined=lambda kept, up: torch.cat([kept, F.max_pool2d(up, 2)], 1)), "Nothing is pooled on the way down, so the deep levels see no more than the first. `down[level](self.pool(x))`."),
        Mistake("not joined", _JoinForgotten, "`join` is made but never called: its two convolutions weigh what was kept against what came up."),
        Mistake("not enlarged by up", _UpForgotten, "`up` is made but never called. The way up is learnt: `self.up[level](x)`."),
        Mistake("one level", _OneLevel, "You go down and up once, whatever the depth. There are as many levels as `self.down` is long."),
        Mistake("one level up", _Stopped, "You go all the way down, but only one level up. Every level has its `up` and its `join`."),
        Mistake("one skip for all", _LastKept, "You join the first map at every level. Keep one for each: append to the list before each pooling."),
        Mistake("kept map changed", _net(joined=_written_into), "`+=` writes into what was kept. Put the two side by side and leave both alone: `torch.cat`."),
        Mistake("halves mirrored", _net(skip=lambda skips, level, up: skips[level].flip(3)), "What was kept is mirrored. It lies pixel on pixel as it came."),
    ],
    hints=[
        "On the way down, keep a map before each pooling:\n    skips.append(x)\n    x = down(self.pool(x))",
        "On the way up the last one kept comes first: `for level in reversed(range(len(skips)))`.",
        "At each level: enlarge, join, convolve.\n"
        "    up = self.up[level](x)\n"
        "    x = self.join[level](torch.cat([skips[level], up], dim=1))\n"
        "Then `self.out(x)`, and nothing behind it.",
    ],
    note="The way up needs the maps in the opposite order: the last one kept is the first one used.",
)  # fmt: skip
