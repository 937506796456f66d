"""Exercises of lesson 02 that count: the size of an output, the numbers that a layer learns."""

import math

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.convolutions import arithmetic

__all__ = ["CONV_PARAMETERS", "OUTPUT_SIZE"]


def _size_other(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Count the starts at which the whole window fits."""
    return len(range(0, size + 2 * padding - dilation * (kernel - 1), stride))


def _size_cases() -> list[Case]:
    return [
        Case(4, 3),
        Case(5, 3, padding=1),
        Case(7, 3, dilation=2),
        Case(6, 3, stride=2),
        Case(224, 7, 2, 3),
        Case(10, 2, 3, 1, 4),
        Case(9, 3, 4, 2, 2),
    ]


OUTPUT_SIZE = Exercise(
    name="output_size",
    lesson="02",
    minutes=5,
    difficulty="easy",
    reference=arithmetic.output_size,
    other=_size_other,
    cases=_size_cases,
    mistakes=[
        Mistake(
            "floor missing",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
            ),
            "You count half places: the floor is missing. A kernel that does not fit whole gives no output: "
            "use `//`.",
        ),
        Mistake(
            "floor and dilation missing",
            lambda size, kernel, stride=1, padding=0, dilation=1: (size - kernel + 2 * padding) / stride + 1,
            "That formula leaves out two things: the floor, `//`, and dilation. A dilated kernel reaches over "
            "`dilation * (kernel - 1) + 1` cells.",
        ),
        Mistake(
            "rounded up",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                math.ceil((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1
            ),
            "You rounded up, so the last window hangs over the edge. Round down: `//`.",
        ),
        Mistake(
            "rounded to the nearest",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 0.5) + 1
            ),
            "You rounded to the nearest. Half a window is no window: round down, `//`.",
        ),
        Mistake(
            "dilation ignored",
            lambda size, kernel, stride=1, padding=0, dilation=1: (size + 2 * padding - kernel) // stride + 1,
            "dilation changes nothing in your answer. A dilated kernel reaches over `dilation * (kernel - 1) "
            "+ 1` cells.",
        ),
        Mistake(
            "dilation times kernel",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * kernel) // stride + 1
            ),
            "A kernel of 3 has two gaps, not three: it reaches over `dilation * (kernel - 1) + 1` cells.",
        ),
        Mistake(
            "reach one too short",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel - 1)) // stride + 1
            ),
            "Your kernel reaches one cell too little. Its last number counts too: `dilation * (kernel - 1) + "
            "1` cells.",
        ),
        Mistake(
            "dilation added once",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - (kernel + dilation - 1)) // stride + 1
            ),
            "You widened the kernel once. Each of its `kernel - 1` gaps grows: it reaches over `dilation * "
            "(kernel - 1) + 1`.",
        ),
        Mistake(
            "dilation as cells between",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - kernel - dilation * (kernel - 1)) // stride + 1
            ),
            "You count dilation cells between two numbers. It is the distance from one to the next: 1 leaves none between.",
        ),
        Mistake(
            "brackets forgotten",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                size + 2 * padding - dilation * (kernel - 1) - 1 // stride + 1
            ),
            "Division binds tighter than minus: only the last number was divided by stride. Put brackets around the rest.",
        ),
        Mistake(
            "padding on one side",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + padding - dilation * (kernel - 1) - 1) // stride + 1
            ),
            "padding counts once in your answer. It is added at both ends: `2 * padding`.",
        ),
        Mistake(
            "padding ignored",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size - dilation * (kernel - 1) - 1) // stride + 1
            ),
            "padding changes nothing in your answer. It makes the input longer by `2 * padding`.",
        ),
        Mistake(
            "first place forgotten",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) // stride
            ),
            "You counted the steps. There is one place more than there are steps: `+ 1`.",
        ),
        Mistake(
            "one added before dividing",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                (size + 2 * padding - dilation * (kernel - 1)) // stride
            ),
            "The `+ 1` is inside your division. Divide the steps first, then add the first place.",
        ),
        Mistake(
            "stride ignored",
            lambda size, kernel, stride=1, padding=0, dilation=1: (
                size + 2 * padding - dilation * (kernel - 1)
            ),
            "stride changes nothing in your answer. Only every stride-th place counts.",
        ),
        Mistake(
            "window starts anywhere",
            lambda size, kernel, stride=1, padding=0, dilation=1: (size + 2 * padding - 1) // stride + 1,
            "You count every start, even where the kernel hangs over the end. Take away what it reaches over.",
        ),
    ],
    hints=[
        "With padding, how many cells are there? And over how many does a kernel of 3 with dilation 2 reach?",
        "The window can move by `size + 2 * padding - reach` cells:\n    reach = dilation * (kernel - 1) + 1",
        "Count the whole steps; there is one place more than steps:\n"
        "    steps = (size + 2 * padding - reach) // stride",
    ],
    note="What is left over after the last whole step is never read.",
)


def _parameters_other(in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> int:
    """Build the arrays and count their numbers."""
    weight = np.empty((out_channels, in_channels, kernel, kernel))
    return weight.size + (out_channels if bias else 0)


def _parameters_cases() -> list[Case]:
    return [
        Case(1, 1, 3),
        Case(3, 2, 3),
        Case(3, 16, 5),
        Case(4, 6, 3, bias=False),
        Case(64, 128, 1),
    ]


CONV_PARAMETERS = Exercise(
    name="conv_parameters",
    lesson="02",
    minutes=3,
    difficulty="easy",
    reference=arithmetic.conv_parameters,
    other=_parameters_other,
    cases=_parameters_cases,
    mistakes=[
        Mistake(
            "bias forgotten",
            lambda in_channels, out_channels, kernel, bias=True: kernel**2 * in_channels * out_channels,
            "The biases are missing: each kernel has one number more, when bias is True.",
        ),
        Mistake(
            "one bias for the layer",
            lambda in_channels, out_channels, kernel, bias=True: (
                kernel**2 * in_channels * out_channels + int(bias)
            ),
            "You count one bias for the whole layer. Each of the kernels has its own.",
        ),
        Mistake(
            "bias for each channel",
            lambda in_channels, out_channels, kernel, bias=True: (
                out_channels * in_channels * (kernel**2 + int(bias))
            ),
            "You count a bias for each input channel. A kernel sums over all channels and adds one bias in all.",
        ),
        Mistake(
            "bias of the input",
            lambda in_channels, out_channels, kernel, bias=True: (
                in_channels * (kernel**2 * out_channels + int(bias))
            ),
            "Input and output changed places: there is one bias for each output channel.",
        ),
        Mistake(
            "bias always",
            lambda in_channels, out_channels, kernel, bias=True: out_channels * (kernel**2 * in_channels + 1),
            "You add biases even when bias is False.",
        ),
        Mistake(
            "input channels forgotten",
            lambda in_channels, out_channels, kernel, bias=True: out_channels * (kernel**2 + int(bias)),
            "Your kernels are flat. Each looks at all input channels: `k * k * in_channels` numbers.",
        ),
        Mistake(
            "kernel not squared",
            lambda in_channels, out_channels, kernel, bias=True: (
                out_channels * (kernel * in_channels + int(bias))
            ),
            "A kernel has rows and columns: `k * k` numbers a channel.",
        ),
        Mistake(
            "kernel doubled",
            lambda in_channels, out_channels, kernel, bias=True: (
                out_channels * (2 * kernel * in_channels + int(bias))
            ),
            "You took `2 * kernel`. A square of kernel rows and kernel columns holds `kernel * kernel` numbers.",
        ),
        Mistake(
            "bias the wrong way round",
            lambda in_channels, out_channels, kernel, bias=True: (
                out_channels * (kernel**2 * in_channels + (0 if bias else 1))
            ),
            "You add the biases when bias is False, and leave them out when it is True.",
        ),
        Mistake(
            "cube",
            lambda in_channels, out_channels, kernel, bias=True: out_channels * (kernel**3 + int(bias)),
            "You cubed the kernel. Its depth is the number of input channels, not k.",
        ),
        Mistake(
            "channels added",
            lambda in_channels, out_channels, kernel, bias=True: (
                kernel**2 * (in_channels + out_channels) + (out_channels if bias else 0)
            ),
            "You added the channels. Every output channel looks at every input channel: multiply.",
        ),
        Mistake(
            "one kernel",
            lambda in_channels, out_channels, kernel, bias=True: kernel**2 * in_channels + int(bias),
            "That is one kernel. There are `out_channels` of them.",
        ),
    ],
    hints=[
        "One kernel first: how many numbers has it, if the input has 3 channels and k is 3?",
        "`kernel * kernel * in_channels`, and one bias. How many kernels are there?",
        "A bias counts once for each kernel:\n"
        "    return out_channels * (kernel * kernel * in_channels + (1 if bias else 0))",
    ],
    note="The picture's height and width do not appear: the same numbers work everywhere.",
    shorter="out_channels * (kernel**2 * in_channels + bias)",
)
