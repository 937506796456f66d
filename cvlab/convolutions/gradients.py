"""The backward pass of a convolution: how the loss changes with the input, the kernel and the bias."""

import numpy as np

from cvlab import _validate
from cvlab.convolutions import arithmetic, layers
from cvlab.convolutions.filters import _kernel_fits_signal, _line

__all__ = ["conv1d_grad", "conv2d_grad"]


def _one_gradient_an_output(signal, kernel, grad) -> None:
    _kernel_fits_signal(signal, kernel)
    steps = len(signal) - len(kernel) + 1
    if len(grad) != steps:
        raise ValueError(
            f"grad must hold one number for each of the {steps} outputs, {len(signal)} - {len(kernel)} + 1; "
            f"got {len(grad)}"
        )


@_validate.arguments(_one_gradient_an_output, signal=_line, kernel=_line, grad=_line)
def conv1d_grad(signal: np.ndarray, kernel: np.ndarray, grad: np.ndarray) -> tuple:
    """Pass a loss's gradient back through `y = correlate1d(signal, kernel) + bias`.

    Args:
        signal: (N,) numbers, the layer's input.
        kernel: (K,) numbers.
        grad: (N - K + 1,) numbers, dL/dy: how the loss changes with each output.

    Returns:
        dL/dsignal (N,), dL/dkernel (K,) and dL/dbias, a float.

    Example:
        >>> conv1d_grad(np.array([1.0, 2, 3]), np.array([10.0, 20]), np.array([1.0, 0]))
        (array([10., 20.,  0.]), array([1., 2.]), 1.0)

    Source: the chain rule; `torch.autograd` through `torch.nn.functional.conv1d`.
    """
    d_signal, d_kernel = np.zeros(len(signal)), np.zeros(len(kernel))
    for i, g in enumerate(grad):
        window = slice(i, i + len(kernel))  # the cells that output i has read
        d_signal[window] += g * kernel
        d_kernel += g * signal[window]
    return d_signal, d_kernel, float(np.sum(grad))


def _grad_agrees(images, weight, grad, stride, padding, dilation) -> None:
    layers.layer_agrees(images, weight)
    expected = [
        arithmetic.output_size(*numbers)
        for numbers in zip(images.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    if list(grad.shape[2:]) != expected:
        raise ValueError(
            f"grad must have shape (B, K, out_h, out_w) with out_h, out_w = {tuple(expected)}; got {grad.shape[2:]}"
        )
    if grad.shape[:2] != (len(images), len(weight)):
        raise ValueError(
            f"grad must have shape (B, K, out_h, out_w) with B, K = {(len(images), len(weight))}; got {grad.shape}"
        )


@_validate.arguments(
    _grad_agrees, images=layers.batch, weight=layers.kernels, grad=layers.batch, **layers._layer
)
def conv2d_grad(
    images: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride=1, padding=0, dilation=1
) -> tuple:
    """Pass a loss's gradient back through `conv2d`: two matrix products and a sum.

    Args:
        images: (B, C, H, W) numbers, the layer's input.
        weight: (K, C, kh, kw) numbers.
        grad: (B, K, out_h, out_w) numbers, how the loss changes with each output.
        stride: as in `cvlab.convolutions.layers.conv2d`.
        padding: as in `cvlab.convolutions.layers.conv2d`.
        dilation: as in `cvlab.convolutions.layers.conv2d`.

    Returns:
        dL/dimages (B, C, H, W), dL/dweight (K, C, kh, kw) and dL/dbias (K,).

    Example:
        >>> ones = np.ones((1, 1, 3, 3))
        >>> conv2d_grad(ones, ones, np.full((1, 1, 1, 1), 2.0))[2]
        array([2.])
    """
    (B, C, H, W), K = images.shape, len(weight)
    how = (weight.shape[2:], stride, padding, dilation)
    grad = grad.reshape(B, K, -1)  # (B, K, places)
    columns = layers.im2col(images, *how)  # (B, C * kh * kw, places)
    d_weight = np.einsum("bkp,bcp->kc", grad, columns).reshape(weight.shape)
    d_columns = weight.reshape(K, -1).T @ grad  # (B, C * kh * kw, places)
    where = layers.im2col(np.arange(1, C * H * W + 1).reshape(1, C, H, W), *how)  # which cell; 0 is padding
    d_images = np.zeros((B, C * H * W + 1))
    for b in range(B):
        np.add.at(d_images[b], where[0], d_columns[b])  # a cell that was read often collects often
    return d_images[:, 1:].reshape(images.shape), d_weight, grad.sum(axis=(0, 2))
