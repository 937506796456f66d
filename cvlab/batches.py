"""Pictures on their way to a network: data set, batches, random changes while training, spoilt copies for testing."""

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from cvlab._validate import one_of, positive_int

__all__ = ["Batches", "SPOILS", "StickerDataset", "augment", "loader", "picture_stack", "spoil", "to_tensor"]

SPOILS = ("shift", "rotate", "scale", "hue", "shuffle")


class StickerDataset(Dataset):
    """Pictures and their labels, one pair at a time.

    Args:
        images: (N, H, W, 3) uint8.
        labels: (N,) whole numbers.
        transform: called with the (3, H, W) float tensor in [0, 1]; returns what the network gets.

    Example:
        >>> data = StickerDataset(np.zeros((5, 32, 32, 3), np.uint8), np.arange(5))
        >>> len(data), data[3][0].shape, data[3][1]
        (5, torch.Size([3, 32, 32]), 3)
    """

    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1) / 255  # (3, H, W) in [0, 1]
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[index])


def picture_stack(images, name: str = "images") -> np.ndarray:
    """Return pictures of one size as one (N, H, W, 3) uint8 array; say which one does not fit.

    Raises:
        ValueError: no picture, or pictures of different sizes.
    """
    if len(images) == 0:
        raise ValueError(
            f"{name} must hold at least one picture; got none. Is the folder or the filter right?"
        )
    first = np.shape(images[0])
    for i, image in enumerate(images if not isinstance(images, np.ndarray) else ()):
        if np.shape(image) != first:
            raise ValueError(
                f"{name} must all have one size; got {first} at 0 and {np.shape(image)} at {i}. Resize them first"
            )
    stack = np.asarray(images)
    if stack.ndim != 4 or stack.shape[3] != 3 or stack.dtype != np.uint8:
        raise ValueError(f"{name} must be (N, H, W, 3) uint8; got {stack.shape} {stack.dtype}")
    return stack


def to_tensor(images) -> torch.Tensor:
    """Return (N, H, W, 3) uint8 pictures as a (N, 3, H, W) float tensor with mean near 0: `value / 255 * 4 - 2`.

    Example:
        >>> to_tensor(np.full((1, 2, 2, 3), 255, np.uint8)).max()
        tensor(2.)
    """
    return torch.from_numpy(picture_stack(images)).permute(0, 3, 1, 2).float() / 255 * 4 - 2  # (N, 3, H, W)


class Batches:
    """All pictures in memory, in a new order each epoch: `DataLoader` for data that fits, many times faster.

    Args:
        images: (N, 3, H, W) float tensor.
        labels: N whole numbers from 0.
        size: pictures a batch; the rest of an epoch that fills no batch is left out, unless `every`.
        seed: of the order and of the random changes.
        change: called with (images, generator), as `augment` is; None changes nothing.
        every: keep the order and the last, smaller batch: for measuring.

    Example:
        >>> len(Batches(torch.zeros(100, 3, 32, 32), np.zeros(100), size=32))
        3
    """

    def __init__(self, images, labels, size: int = 64, *, seed: int = 0, change=None, every: bool = False):
        if len(images) == 0:
            raise ValueError("images must hold at least one picture; got none")
        if len(images) != len(labels):
            raise ValueError(
                f"images and labels must have the same length; got {len(images)} and {len(labels)}"
            )
        self.size = positive_int(size, "size")
        if self.size > len(images) and not every:
            raise ValueError(f"size must be at most the number of pictures, {len(images)}; got {self.size}")
        self.images, self.labels = images, torch.as_tensor(np.asarray(labels, np.int64))
        self.change, self.every = change, every
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.images) // self.size) if self.every else len(self.images) // self.size

    def __iter__(self):
        order = torch.randperm(len(self.images), generator=self.generator)
        if self.every:
            order = torch.arange(len(self.images))
        for k in range(len(self)):
            picked = order[k * self.size : (k + 1) * self.size]
            images = self.images[picked]
            yield (
                (images if self.change is None else self.change(images, self.generator)),
                self.labels[picked],
            )


class _Loader(DataLoader):
    """A DataLoader that says in plain words when one of its worker processes died."""

    def __iter__(self):
        try:
            yield from super().__iter__()
        except (RuntimeError, ConnectionError, EOFError) as error:  # it may die while it hands a batch over
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise RuntimeError(
                "a worker process that prepares pictures died: killed, or out of memory. What was trained so far is "
                f"still in the model; go on with workers=0 or fewer than {self.num_workers}"
            ) from error


def loader(
    dataset: Dataset, size: int = 64, *, workers: int = 0, shuffle: bool = True, seed: int = 0
) -> DataLoader:
    """Return a DataLoader that names the pictures which do not fit together, and workers that die.

    Args:
        dataset: of (picture, label) pairs.
        size: pictures a batch.
        workers: processes that prepare batches while the network computes; 0 does it in between.
        shuffle: a new order each epoch.
        seed: of that order.

    Raises:
        ValueError: an empty data set; while iterating, pictures of different sizes.
    """
    if len(dataset) == 0:
        raise ValueError(
            "dataset must hold at least one picture; got none. Is the folder or the filter right?"
        )
    return _Loader(
        dataset,
        positive_int(size, "size"),
        shuffle=shuffle,
        num_workers=positive_int(workers, "workers", least=0),
        generator=torch.Generator().manual_seed(seed),
        collate_fn=_collate,
    )


def _collate(pairs: list) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*pairs, strict=True)
    sizes = {tuple(image.shape) for image in images}
    if len(sizes) > 1:
        raise ValueError(
            f"pictures of a batch must all have one size; got {sorted(sizes)}. Resize or crop them in the transform"
        )
    return torch.stack(images), torch.as_tensor(labels)  # (B, 3, H, W), (B,)


def augment(
    images: torch.Tensor, generator: torch.Generator, *, shift: int = 4, colour: float = 0.5
) -> torch.Tensor:
    """Change each picture of a batch at random: mirrored or not, moved, its channels brighter or darker.

    Args:
        images: (B, 3, H, W) floats with mean near 0.
        generator: where the dice are; the same one gives the same changes.
        shift: up to so many pixels each way; what enters at the edge is mirrored.
        colour: how much each channel's contrast and brightness may change.

    Returns:
        (B, 3, H, W) floats.
    """
    B, _, H, W = images.shape
    mirror = torch.rand(B, generator=generator) < 0.5
    images = torch.where(mirror[:, None, None, None], images.flip(3), images)
    padded = F.pad(images, (shift,) * 4, mode="reflect")  # (B, 3, H + 2 shift, W + 2 shift)
    down, right = torch.randint(0, 2 * shift + 1, (2, B), generator=generator)
    rows, cols = down[:, None] + torch.arange(H), right[:, None] + torch.arange(W)  # (B, H), (B, W)
    batch, channel = torch.arange(B)[:, None, None, None], torch.arange(3)[None, :, None, None]
    images = padded[batch, channel, rows[:, None, :, None], cols[:, None, None, :]]  # (B, 3, H, W)
    gain, offset = (colour * (2 * torch.rand(B, 3, 1, 1, generator=generator) - 1) for _ in range(2))
    return images * (1 + gain) + offset


def spoil(images: torch.Tensor, kind: str, amount: float) -> torch.Tensor:
    """Return copies that a person would still name, spoilt in one way.

    Args:
        images: (B, 3, H, W) floats, H and W multiples of 8.
        kind: "shift" (pixels to the right and down), "rotate" (degrees), "scale" (1 is unchanged), "hue" (degrees
            on the colour wheel), "shuffle" (cut into amount x amount parts and mix them).
        amount: how much.

    Example:
        >>> spoil(torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1), "shift", 2)[0, 0, 2, 2:5].round()
        tensor([0., 1., 2.])
    """
    one_of(kind, "kind", SPOILS)
    if kind == "hue":
        return torch.einsum("ij,bjhw->bihw", _hue_matrix(amount), images)
    if kind == "shuffle":
        return _shuffle(images, positive_int(int(amount), "amount"))
    angle = np.deg2rad(amount if kind == "rotate" else 0)
    zoom = 1 / amount if kind == "scale" else 1
    c, s, move = np.cos(angle) * zoom, np.sin(angle) * zoom, -2 * amount / images.shape[3] * (kind == "shift")
    theta = torch.tensor([[c, s, move], [-s, c, move]], dtype=images.dtype).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _hue_matrix(degrees: float) -> torch.Tensor:
    """Turn colours round the grey axis: 120 makes red green."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)) / np.sqrt(3)
    a, b, d = (1 + 2 * c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
    return torch.tensor([[a, b, d], [d, a, b], [b, d, a]], dtype=torch.float32)


def _shuffle(images: torch.Tensor, parts: int) -> torch.Tensor:
    B, C, H, W = images.shape
    if H % parts or W % parts:
        raise ValueError(f"amount must divide the picture's {H} x {W} pixels; got {parts}")
    h, w = H // parts, W // parts
    tiles = images.reshape(B, C, parts, h, parts, w).permute(0, 2, 4, 1, 3, 5).reshape(B, parts**2, C, h, w)
    rng = np.random.default_rng(0)
    order = torch.from_numpy(np.stack([rng.permutation(parts**2) for _ in range(B)]))  # (B, parts ** 2)
    tiles = tiles[torch.arange(B)[:, None], order].reshape(B, parts, parts, C, h, w)
    return tiles.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)
