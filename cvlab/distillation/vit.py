"""A vision transformer, with timm's names for its weights, so that they go from one into the other."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab._validate import arguments, positive_int
from cvlab.distillation.attention import attention
from cvlab.distillation.patches import patchify

__all__ = ["Attention", "Block", "ViT"]


def _heads_share(width, heads, **_):
    if width % heads:
        raise ValueError(f"width must be a multiple of heads, each has its slice; got {width} and {heads}")


def _whole_patches(side, patch, **_):
    if side % patch:
        near = side // patch * patch or patch
        raise ValueError(
            f"side must be a multiple of the patch; got {side} pixels and patches of {patch}. Crop to {near}?"
        )


def _fits(self, x):
    weights, p = self.patch_embed.weight, self.patch
    channels = weights.shape[1] // p**2
    if x.ndim != 4 or x.shape[1] != channels:
        slip = ". One picture? x[None] makes a batch of it" if x.ndim == 3 else ""
        raise ValueError(f"x must have shape (B, {channels}, H, W); got {tuple(x.shape)}{slip}")
    rows, cols = x.shape[2] // p, x.shape[3] // p
    known = rows * cols if self.pos_embed is None else self.pos_embed.shape[1] - 1
    if x.shape[2] % p == x.shape[3] % p == 0 and known != rows * cols:  # other sides: patchify says so
        raise ValueError(
            f"x has {rows} x {cols} patches, the net knows {known} positions. A picture of another size? "
            f"net.pos_embed = nn.Parameter(resized_positions(net.pos_embed, ({rows}, {cols})))"
        )


class Attention(nn.Module):
    """Several heads, each one attending within its own slice of the channels: (B, T, D) to (B, T, D).

    Example:
        >>> layer = Attention(8, heads=2)
        >>> layer(torch.zeros(1, 5, 8)).shape, layer.weights(torch.zeros(1, 5, 8)).shape
        (torch.Size([1, 5, 8]), torch.Size([1, 2, 5, 5]))
    """

    @arguments(_heads_share, width=positive_int, heads=positive_int)
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Return queries, keys and values, (3, B, heads, T, D / heads)."""
        b, t, d = x.shape
        x = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads)
        return x.permute(2, 0, 3, 1, 4)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """Return who looks where, (B, heads, T, T), each row a distribution."""
        return attention(*self.split(x))[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.scaled_dot_product_attention(*self.split(x))
        x = x.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.proj(x)


class Block(nn.Module):
    """Tokens look at each other, then each one thinks for itself; both add to what was there: (B, T, D) to (B, T, D).

    Example:
        >>> Block(8, heads=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, heads: int, ratio: float = 4):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential()
        self.mlp.fc1 = nn.Linear(width, int(width * ratio))
        self.mlp.act = nn.GELU()
        self.mlp.fc2 = nn.Linear(int(width * ratio), width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """A vision transformer without a classifier: what its class token says, (B, width).

    A feature map is a picture, too: `ViT(12, 1, channels=112)` takes maps of 12 x 12 places, each place a patch.

    Args:
        side: of the square pictures, in pixels.
        patch: side of a patch, divides `side`.
        channels: of the pictures.
        width: numbers a token.
        depth: blocks.
        heads: of each block.
        ratio: of the hidden layer of each block to `width`.
        positions: add a learnt vector for each place. Without, any size of picture fits, and no order is known.

    Example:
        >>> net = ViT(32, 8)
        >>> x = torch.zeros(2, 3, 32, 32)
        >>> net(x).shape, net.tokens(x).shape, net.attention(x).shape
        (torch.Size([2, 96]), torch.Size([2, 17, 96]), torch.Size([2, 4, 17, 17]))

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021; names as in timm's `VisionTransformer`.
    """

    @arguments(_whole_patches, side=positive_int, patch=positive_int, depth=positive_int)
    def __init__(
        self, side, patch, channels=3, width=96, depth=2, heads=4, ratio=2, *, positions: bool = True
    ):
        super().__init__()
        self.patch, n = patch, (side // patch) ** 2
        self.patch_embed = nn.Linear(channels * patch * patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + n, width)) if positions else None
        self.blocks = nn.Sequential(*(Block(width, heads, ratio) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    @arguments(_fits)
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tokens before the first block, (B, 1 + N, width), the class token first."""
        x = self.patch_embed(patchify(x, self.patch))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return x if self.pos_embed is None else x + self.pos_embed

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tokens after the last block, (B, 1 + N, width), the class token first."""
        return self.norm(self.blocks(self.embed(x)))

    def attention(self, x: torch.Tensor, layer: int = -1) -> torch.Tensor:
        """Return who looks where in one block, (B, heads, 1 + N, 1 + N)."""
        x, block = self.blocks[:layer](self.embed(x)), self.blocks[layer]
        return block.attn.weights(block.norm1(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tokens(x)[:, 0]
