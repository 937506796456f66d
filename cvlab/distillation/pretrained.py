"""Weights of timm's vision transformers in ours, for pictures of any size; attention read out of either."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments
from cvlab.distillation.attention import attention
from cvlab.distillation.vit import ViT
from cvlab.store.checkpoint import fill

__all__ = ["attention_of", "from_timm", "load_timm", "resized_positions"]


def _of_timm(state):
    first = "patch_embed.proj.weight"
    if first not in state or state[first].ndim != 4:
        slip = next(iter(state), None)
        raise ValueError(
            f"state must hold timm's {first!r} of shape (width, C, P, P); its first name is {slip!r}. "
            "Of another kind of network?"
        )


def _square(pos_embed, grid):
    if (
        pos_embed.ndim != 3
        or len(pos_embed) != 1
        or math.isqrt(pos_embed.shape[1] - 1) ** 2 + 1 != pos_embed.shape[1]
    ):
        raise ValueError(
            f"pos_embed must have shape (1, 1 + side * side, width), the class token's first; got {tuple(pos_embed.shape)}"
        )
    if len(grid) != 2 or min(grid) < 1:
        raise ValueError(f"grid must be (rows, columns) of patches, each at least 1; got {grid!r}")


@arguments(_of_timm)
def from_timm(state: dict) -> dict:
    """Rename the weights of timm's `VisionTransformer` to ours: a convolution over patches is a layer on flat patches.

    A classifier's head is left out: `ViT` has none.

    Args:
        state: of `net.state_dict()`, or of a file; names as in timm and in DINO's own files.

    Example:
        >>> state = {"patch_embed.proj.weight": torch.zeros(96, 3, 16, 16), "patch_embed.proj.bias": torch.zeros(96)}
        >>> from_timm(state)["patch_embed.weight"].shape
        torch.Size([96, 768])
    """
    state = {k: v for k, v in state.items() if not k.startswith("head.")}
    weight = state.pop("patch_embed.proj.weight")  # (D, C, P, P)
    state["patch_embed.weight"] = weight.flatten(1)
    state["patch_embed.bias"] = state.pop("patch_embed.proj.bias")
    return state


def load_timm(net: ViT, state: dict, name: str = "state") -> ViT:
    """Fill `net` with the weights of timm's `VisionTransformer`, all of them, and return it.

    Args:
        net: of the same patch, width, depth and grid.
        state: of timm.
        name: what the tensors are called in an error.

    Raises:
        ValueError: another patch, another architecture, other names; the net stays as it was.

    Example:
        >>> import timm
        >>> theirs = timm.create_model("vit_tiny_patch16_224", num_classes=0)
        >>> load_timm(ViT(224, 16, 3, 192, 12, 3, 4), theirs.state_dict()).blocks[11].attn.heads
        3
    """
    ours = from_timm(state)
    patch = state["patch_embed.proj.weight"].shape[-1]
    if patch != net.patch:
        raise ValueError(
            f"patch_embed was {net.patch}, the file has {patch}: {name} is of patches of {patch} x {patch} pixels, "
            f"the net cuts {net.patch} x {net.patch}. Build ViT(side, {patch}, ...)"
        )
    fill(net, ours, name)
    return net


@arguments(_square)
def resized_positions(pos_embed: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Stretch learnt positions over another grid of patches, so that a picture of another size fits.

    Args:
        pos_embed: (1, 1 + side * side, width), the class token's first; it stays as it is.
        grid: rows and columns of patches.

    Returns:
        (1, 1 + rows * columns, width).

    Example:
        >>> resized_positions(torch.zeros(1, 197, 384), (20, 30)).shape
        torch.Size([1, 601, 384])

    Source: as timm's `resample_abs_pos_embed`; DINO's own code has bicubic without the smoothing.
    """
    first, rest = pos_embed[:, :1], pos_embed[:, 1:]
    side = math.isqrt(rest.shape[1])
    rest = rest.unflatten(1, (side, side)).permute(0, 3, 1, 2)  # (1, width, side, side)
    rest = F.interpolate(rest, size=tuple(grid), mode="bicubic", antialias=True)
    return torch.cat([first, rest.flatten(2).transpose(1, 2)], dim=1)


@torch.no_grad()
def attention_of(net: nn.Module, x: torch.Tensor, layer: int = -1) -> torch.Tensor:
    """Return who looks where in one block of our `ViT` or of timm's, (B, heads, T, T): queries and keys are overheard.

    Args:
        net: its blocks have `attn.qkv`.
        x: what it takes.
        layer: which block.

    Raises:
        TypeError: the net has no attention.

    Example:
        >>> attention_of(ViT(32, 8), torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 4, 17, 17])
    """
    blocks = getattr(net, "blocks", None)
    some = isinstance(blocks, nn.Sequential | nn.ModuleList) and len(blocks) > 0
    attn = getattr(blocks[layer], "attn", None) if some else None
    if not hasattr(attn, "qkv"):
        raise TypeError(
            f"net must have blocks with attn.qkv, as ViT and timm's VisionTransformer; got {type(net).__name__}. "
            "A convolutional network mixes by fixed weights, it has no attention to show"
        )
    heard = []
    hook = attn.qkv.register_forward_hook(lambda layer, given, answer: heard.append(answer))
    try:
        net(x)
    finally:
        hook.remove()
    b, t, _ = heard[0].shape
    heads = getattr(attn, "num_heads", None) or attn.heads
    q, k, v = heard[0].reshape(b, t, 3, heads, -1).permute(2, 0, 3, 1, 4)
    return attention(q, k, v)[1]
