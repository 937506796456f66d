"""An autoencoder of small stickers: squeeze a picture to a few numbers, grow it back; the trained ones of `data/make_autoencoder.py`."""

import functools

import numpy as np
import torch
from torch import nn

from cvlab import settings
from cvlab._validate import one_of, positive_int
from cvlab.store import weights
from cvlab.store.records import training_record
from cvlab.world import paint, stickers

__all__ = ["TRAINED", "Autoencoder", "record", "small_stickers", "trained"]

TRAINED = {"16": 16, "64": 64, "denoise": 64}  # name: width of the code


class Autoencoder(nn.Module):
    """Squeeze (B, 3, 32, 32) to `width` numbers by three strides, and grow them back by three transposed convolutions.

    Pictures go in and come out less 0.5, so in [-0.5, 0.5]: code and output end in no activation.

    Args:
        width: numbers in the code.
        last: a layer put behind the code, to see what it spoils.

    Example:
        >>> net = Autoencoder(16)
        >>> net.encode(torch.zeros(1, 3, 32, 32)).shape, net(torch.zeros(1, 3, 32, 32)).shape
        (torch.Size([1, 16]), torch.Size([1, 3, 32, 32]))

    Source: Hinton, Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, Science 313, 2006.
    """

    def __init__(self, width: int, last: nn.Module | None = None):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, width),
            last or nn.Identity())  # fmt: skip
        self.decode = nn.Sequential(
            nn.Linear(width, 512), nn.ReLU(),
            nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1))  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


def small_stickers(n: int, split: str = "train", seed: int = 0) -> torch.Tensor:
    """Paint stickers of ten classes on white, 20 to 30 pixels large, anywhere in 32 x 32, half of them mirrored.

    Args:
        n: how many.
        split: "train", "val" or "test": other drawing styles.
        seed: another seed, other pictures.

    Returns:
        (n, 3, 32, 32) float32 in [-0.5, 0.5].

    Example:
        >>> x = small_stickers(4)
        >>> x.shape, x.max()
        (torch.Size([4, 3, 32, 32]), tensor(0.5000))
    """
    from PIL import Image, ImageOps

    positive_int(n, "n")
    one_of(split, "split", tuple(paint.SPLITS))
    dice = np.random.default_rng((seed, tuple(paint.SPLITS).index(split)))
    pool = [path for name in stickers.CIFAR10 for path in paint.files(name, split)]
    made = np.empty((n, 32, 32, 3), np.uint8)
    for k in range(n):
        side = int(dice.integers(20, 31))
        art = _art(pool[dice.integers(len(pool))]).resize((side, side), Image.Resampling.BILINEAR)
        art = ImageOps.mirror(art) if dice.random() < 0.5 else art
        page = Image.new("RGBA", (32, 32), "white")
        page.alpha_composite(art, tuple(int(at) for at in dice.integers(0, 33 - side, 2)))
        made[k] = np.array(page.convert("RGB"))
    return torch.from_numpy(made).permute(0, 3, 1, 2).float() / 255 - 0.5


@functools.lru_cache(maxsize=256)
def _art(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGBA")


def trained(name: str) -> Autoencoder:
    """Return one of the recorded networks, in evaluation mode.

    Args:
        name: "16" or "64", the width of the code, or "denoise", which has 64 and was shown noisy pictures.

    Example:
        >>> trained("16").encode[7]
        Linear(in_features=512, out_features=16, bias=True)
    """
    net = Autoencoder(TRAINED[one_of(name, "name", tuple(TRAINED))])
    kept = weights.load(settings.data_dir() / "weights" / "autoencoder.safetensors")
    net.load_state_dict(
        {key.removeprefix(f"{name}."): t.float() for key, t in kept.items() if key.startswith(f"{name}.")}
    )
    return net.eval().requires_grad_(False)


@functools.cache
def record() -> dict:
    """Return what `data/make_autoencoder.py` measured: PSNR in dB on the val split, by way and width.

    Example:
        >>> sorted(record()["psnr"])
        ['autoencoder', 'pca', 'relu']
    """
    return training_record("autoencoder.json")
