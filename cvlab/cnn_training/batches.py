"""Pictures on their way to a network: data set, batches, random changes while training, spoilt copies for testing."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cvlab._validate import arguments, positive_int

__all__ = ["Batches", "StickerDataset", "loader", "picture_stack", "to_tensor", "whole_numbers"]


def whole_numbers(labels, name: str = "labels") -> np.ndarray:
    """Return labels as (N,) int64; 0.9 is no label, and no label is rounded.

    Example:
        >>> whole_numbers([2, 0, 1])
        array([2, 0, 1])

    Raises:
        TypeError: numbers with a point, booleans, text; names the slip.
        ValueError: more than one axis, as one-hot rows have.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        slip = ". One-hot rows? labels.argmax(axis=1) gives the numbers" if labels.ndim == 2 else ""
        raise ValueError(f"{name} must have shape (N,); got {labels.shape}{slip}")
    if labels.dtype.kind not in "iu" and labels.size:
        slip = (
            ". Only whole numbers written with a point? labels.astype(int)"
            if labels.dtype.kind == "f"
            else ""
        )
        raise TypeError(f"{name} must be whole numbers; got {labels.dtype}, the first {labels[0]}{slip}")
    return labels.astype(np.int64)


def _whole_labels(dataset: type) -> type:
    """Check the labels of a data set; its code stays the one on the lesson's page."""
    dataset.__init__ = arguments(labels=whole_numbers)(dataset.__init__)
    return dataset


@_whole_labels
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
        >>> len(Batches(torch.zeros(100, 3, 32, 32), np.zeros(100, int), size=32))
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
        self.images, self.labels = images, torch.from_numpy(whole_numbers(labels))
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
