"""The exercise of lesson 03 that hands out pictures one by one: a data set."""

from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import batches

__all__ = ["STICKER_DATASET"]


class _Seen(NamedTuple):
    length: int
    picture: torch.Tensor
    label: int
    same_picture_asked_for_again: torch.Tensor | None


def _apply(function, images, labels, index, transform):
    """Return the length, the pair at `index`, and the picture there when it is asked for once more."""
    calls = count(1)
    change = {"transform": lambda image: image.flip(2) + next(calls)} if transform else {}
    data = function(images, labels, **change)
    picture, label = _pair(data[index])
    again = _pair(data[index])[0] if transform else None
    return _Seen(len(data), picture, label, again)


def _pair(item: Any) -> tuple:
    return tuple(item) if isinstance(item, tuple | list) and len(item) == 2 else (item, None)


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def case(n, index, transform=False):
        images = rng.integers(0, 256, (n, 2, 3, 3), np.uint8)
        text = f"StickerDataset(images, labels)[{index}]"
        if transform:
            text = (
                f"StickerDataset(images, labels, transform)[{index}], twice; transform(image) is "
                "image.flip(2) + 1 at its first call, + 2 at its second"
            )
        labels = np.arange(n) * 7 % 10 + 1
        return Case(images=images, labels=labels, index=index, transform=transform).shown_as(text)

    return [case(1, 0), case(3, 1), case(5, 4), case(4, 2, True)]


class _Other(Dataset):
    """Turn all pictures at once, in the beginning."""

    def __init__(self, images, labels, transform=None):
        self.pairs = list(
            zip(torch.tensor(np.moveaxis(images, 3, 1)).float() / 255, labels.tolist(), strict=True)
        )
        self.transform = transform or (lambda image: image)

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        image, label = self.pairs[index]
        return self.transform(image), label


def _ready(raw: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(raw).movedim(-1, -3) / 255


def _changed(image: torch.Tensor, transform) -> torch.Tensor:
    return image if transform is None else transform(image)


def _dataset(
    *,
    length=lambda d: len(d.images),
    image=lambda raw, transform: _changed(_ready(raw), transform),
    label=lambda d, index: int(d.labels[index]),
    item=lambda pair: pair,
    raw=lambda d, index: d.images[index],
):
    """Return a data set class that differs from the right one as the arguments say."""

    class StickerDataset(Dataset):
        def __init__(self, images, labels, transform=None):
            self.images, self.labels, self.transform = images, labels, transform

        def __len__(self):
            return length(self)

        def __getitem__(self, index):
            return item((image(raw(self, index), self.transform), label(self, index)))

    return StickerDataset


class _ChangedOnce(_Other):
    def __init__(self, images, labels, transform=None):
        super().__init__(images, labels)
        self.pairs = [(_changed(image, transform), label) for image, label in self.pairs]


class _Remembered(_Other):
    def __getitem__(self, index):
        self.pairs[index], self.transform = super().__getitem__(index), lambda image: image
        return self.pairs[index]


def _without_self(name: str) -> type:
    """Return a data set that reads what it kept by its bare name."""

    def item(pair):
        raise NameError(f"name '{name}' is not defined")

    return _dataset(item=item)


class _NothingKept(Dataset):
    def __init__(self, images, labels, transform=None):
        pass

    def __len__(self):
        raise AttributeError("'StickerDataset' object has no attribute 'images'")

    def __getitem__(self, index):
        return len(self)


def _picture(change) -> type:
    """Return a data set whose picture is `change(raw)`, with the transform afterwards."""
    return _dataset(image=lambda raw, transform: _changed(change(raw), transform))


STICKER_DATASET = Exercise(
    name="StickerDataset",
    lesson="03",
    minutes=8,
    difficulty="easy",
    reference=batches.StickerDataset,
    other=_Other,
    cases=_cases,
    apply=_apply,
    any_float=True,
    equivalent={"return (image, self.labels[index])": "NumPy's whole number is one, too; a batch of them is the same tensor"},
    mistakes=[
        Mistake("not scaled", _picture(lambda x: torch.from_numpy(x).permute(2, 0, 1).float()), "The numbers go to 255. A network wants small ones: divide by 255."),
        Mistake("uint8", _picture(lambda x: torch.from_numpy(x).permute(2, 0, 1)), "The picture is still uint8, 0 to 255. Divide by 255: that makes it a float, too."),
        Mistake("divided by 256", _picture(lambda x: _ready(x) * 255 / 256), "You divide by 256. The largest value is 255, and it should become 1: divide by 255."),
        Mistake("scaled to -1 ... 1", _picture(lambda x: _ready(x) * 2 - 1), "Your numbers run from -1 to 1. Here they run from 0 to 1: only divide by 255."),
        Mistake("whole division", _picture(lambda x: _ready(x).floor()), "Whole division (`//`), or a cast to whole numbers, leaves only 0 and 1. Divide with `/`."),
        Mistake("channels last", _picture(lambda x: torch.from_numpy(x) / 255), "The channels are still last. PyTorch wants (3, H, W): `permute(2, 0, 1)`."),
        Mistake(
            "reshaped",
            _picture(lambda x: torch.from_numpy(x).reshape(3, *x.shape[:2]) / 255),
            "The shape is right, the picture is not: `reshape` only recounts. Move the axis: `permute(2, 0, 1)`.",
        ),
        Mistake("turned", _picture(lambda x: _ready(x).transpose(1, 2)), "Rows and columns changed places: `permute(2, 0, 1)` keeps their order."),
        Mistake("NumPy picture", _picture(lambda x: x.transpose(2, 0, 1) / 255), "The picture is still a NumPy array. `torch.from_numpy(...)` makes it a tensor."),
        Mistake("transform ignored", _dataset(image=lambda raw, transform: _ready(raw)), "transform changes nothing in your answer. Keep what it returns: `image = self.transform(image)`, when it is not None."),
        Mistake(
            "transform before scaling",
            _dataset(image=lambda raw, transform: _changed(torch.from_numpy(raw).permute(2, 0, 1).float(), transform) / 255),
            "You call transform on numbers up to 255. Scale to [0, 1] first.",
        ),
        Mistake(
            "transform before permute",
            _dataset(image=lambda raw, transform: _changed(torch.from_numpy(raw) / 255, transform).permute(2, 0, 1)),
            "You call transform while the channels are still last. It gets the finished (3, H, W) tensor: permute first.",
        ),
        Mistake("transform once for all", _ChangedOnce, "You call transform for all pictures in `__init__`. A random one then gives the same picture in every epoch: call it in `__getitem__`."),
        Mistake("transform remembered", _Remembered, "The second time you hand out the picture of the first. Call transform each time: a random one should change it anew."),
        Mistake("transform without asking", _dataset(image=lambda raw, transform: transform(_ready(raw))), "transform may be None, and None cannot be called: `if self.transform is not None`."),
        Mistake("length of a picture", _dataset(length=lambda d: len(d.images[0])), "`__len__` counts the rows of the first picture. It should count pictures."),
        Mistake("length of the channels", _dataset(length=lambda d: d.images.shape[3]), "`__len__` counts channels. It should count pictures: `len(self.images)`."),
        Mistake("one too few", _dataset(length=lambda d: len(d.images) - 1), "`__len__` is one too small: the last picture would never be seen."),
        Mistake("always the first", _dataset(raw=lambda d, i: d.images[0], label=lambda d, i: int(d.labels[0])), "You always hand out the first picture and label. Use index."),
        Mistake("all pictures", _dataset(raw=lambda d, i: d.images), "All pictures come back at once. Take one picture, `self.images[index]`, and make it (3, H, W)."),
        Mistake("position as label", _dataset(label=lambda d, i: i), "You return the position as the label. Look it up: `self.labels[index]`."),
        Mistake("all labels", _dataset(label=lambda d, i: d.labels), "You return all labels. One picture has one: `self.labels[index]`."),
        Mistake("label as a float", _dataset(label=lambda d, i: float(d.labels[i])), "The label is a float. It names a class, so it is a whole number: `int(self.labels[index])`."),
        Mistake("label as a tensor", _dataset(label=lambda d, i: torch.tensor(d.labels[i])), "The label is a tensor. Return a plain int: `int(self.labels[index])`."),
        Mistake("swapped", _dataset(item=lambda pair: pair[::-1]), "The pair is turned round: picture first, then label."),
        Mistake("no label", _dataset(item=lambda pair: pair[0]), "Only the picture comes back. Return the pair: image, label."),
        Mistake("self forgotten", _without_self("images"), "Inside a method the bare name images is unknown. What `__init__` kept is read as `self.images`, `self.labels`, `self.transform`."),
        Mistake("self forgotten before labels", _without_self("labels"), "Inside a method the bare name labels is unknown. What `__init__` kept is read as `self.labels`."),
        Mistake("nothing kept", _NothingKept, "`self.images` is not there: `__init__` has to keep what it is given, under the name the other methods read: `self.images = images`."),
        Mistake("no tensor yet", _dataset(image=lambda raw, transform: raw.permute(2, 0, 1)), "A NumPy array has no permute. Make it a tensor first: `torch.from_numpy(self.images[index]).permute(2, 0, 1)`."),
        Mistake("scaled twice", _picture(lambda x: _ready(x) / 255), "You divide by 255 twice, in `__init__` and in `__getitem__`, say. Once is enough: then white is 1."),
        Mistake("transform gets the NumPy picture", _dataset(image=lambda raw, transform: _ready(_changed(raw, transform))), "transform gets the NumPy picture. Hand it the finished tensor: (3, H, W), 0 to 1."),
        Mistake("question turned round", _dataset(image=lambda raw, transform: _ready(raw) if transform else transform(_ready(raw))), "You call transform when it is None, and leave it out when it is there: `if self.transform is not None`."),
        Mistake("a dict", _dataset(item=lambda pair: {"image": pair[0], "label": pair[1]}), "You return a dict. Return the pair: image, label."),
    ],
    hints=[
        "`__init__` only keeps what it is given. All work happens in `__getitem__`, when a picture is wanted.",
        "A tensor, the channels first, from 0 to 1:\n"
        "    image = torch.from_numpy(self.images[index]).permute(2, 0, 1) / 255",
        "Call the transform when there is one:\n"
        "    if self.transform is not None:\n"
        "        image = self.transform(image)\n"
        "    return image, int(self.labels[index])",
    ],
    note="With `__len__` and `__getitem__`, a DataLoader can shuffle it, batch it and read it in several "
    "processes.",
)  # fmt: skip
