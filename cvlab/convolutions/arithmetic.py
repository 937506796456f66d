"""The arithmetic of a convolutional layer: how large its output is, how many numbers it learns."""

from functools import partial

from cvlab import _validate

__all__ = ["conv_parameters", "dense_parameters", "output_size"]

_size = _validate.positive_int
_from_zero = partial(_validate.positive_int, least=0)


def _window_fits(size, kernel, stride, padding, dilation) -> None:
    reach, room = dilation * (kernel - 1) + 1, size + 2 * padding
    if reach > room:
        raise ValueError(
            f"the kernel must fit into the padded input, {room} cells; got a kernel that reaches over {reach} "
            f"(kernel {kernel}, dilation {dilation})"
        )


@_validate.arguments(_window_fits, size=_size, kernel=_size, stride=_size, padding=_from_zero, dilation=_size)
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Count the places where a kernel fits along one axis.

    Args:
        size: cells of the input, without padding.
        kernel: numbers in the kernel.
        stride: cells from one place to the next.
        padding: cells added at *each* end.
        dilation: cells from one number of the kernel to the next.

    Returns:
        The number of output cells, at least 1; what is left over after the last whole step is not read.

    Example:
        >>> output_size(224, 7, stride=2, padding=3)
        112

    Source: the shape formula of `torch.nn.Conv2d`; Dumoulin and Visin, arXiv:1603.07285.
    """
    reach = dilation * (kernel - 1) + 1
    return (size + 2 * padding - reach) // stride + 1


@_validate.arguments(in_channels=_size, out_channels=_size, kernel=_size)
def conv_parameters(in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> int:
    """Count the numbers that a convolutional layer learns; the picture's size does not matter.

    Args:
        in_channels: channels of the input, D.
        out_channels: kernels, and channels of the output, K.
        kernel: rows and columns of each kernel, k.
        bias: whether each kernel adds one number of its own.

    Returns:
        K (k k D + 1) with bias, K k k D without.

    Example:
        >>> conv_parameters(3, 64, 7)
        9472
    """
    per_kernel = kernel * kernel * in_channels + (1 if bias else 0)
    return out_channels * per_kernel


@_validate.arguments(inputs=_size, outputs=_size)
def dense_parameters(inputs: int, outputs: int) -> int:
    """Count the numbers that a fully connected layer learns, one for each pair, and a bias an output.

    Example:
        >>> dense_parameters(3 * 32 * 32, 16 * 30 * 30)
        44251200
    """
    return outputs * (inputs + 1)
