"""Exercises of lesson 03 that are classes: the data set, and the residual block."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.cnn_training import batches, nets

__all__ = ["RESIDUAL_BLOCK", "STICKER_DATASET"]


def _dataset_apply(function, images, labels, index, transform):
    """Return the length, and the picture and the label at `index`."""
    change = {"transform": lambda image: image + 1} if transform else {}
    data = function(images, labels, **change)
    image, label = data[index]
    return len(data), image, label


def _dataset_cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def case(n, index, transform=False):
        images = rng.integers(0, 256, (n, 2, 3, 3), np.uint8)
        text = f"StickerDataset(images, labels{', lambda image: image + 1' if transform else ''})[{index}]"
        labels = np.arange(n) * 7 % 10 + 1
        return Case(images=images, labels=labels, index=index, transform=transform).shown_as(text)

    return [case(1, 0), case(3, 1), case(5, 4), case(4, 2, True)]


class _DatasetOther(Dataset):
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


def _dataset(*, length=None, item=None, image=None, label=None, late=True, used=True):
    """Return a data set class that differs from the right one in one method."""

    class StickerDataset(Dataset):
        def __init__(self, images, labels, transform=None):
            self.images, self.labels, self.transform = images, labels, transform if used else None

        def __len__(self):
            return length(self) if length else len(self.images)

        def __getitem__(self, index):
            raw = self.images[index]
            scale = 255 if late else 1
            done = image(raw) if image else torch.from_numpy(raw).permute(2, 0, 1) / (255 if late else 1)
            if self.transform is not None:
                done = self.transform(done)
            if not late:
                done = done / 255 * scale
            pair = done, label(self, index) if label else int(self.labels[index])
            return item(pair) if item else pair

    return StickerDataset


STICKER_DATASET = Exercise(
    name="StickerDataset",
    lesson="03",
    minutes=8,
    difficulty="easy",
    reference=batches.StickerDataset,
    other=_DatasetOther,
    cases=_dataset_cases,
    apply=_dataset_apply,
    mistakes=[
        Mistake("not scaled", _dataset(image=lambda x: torch.from_numpy(x).permute(2, 0, 1).float()), "The numbers go to 255. A network wants small ones: divide by 255."),
        Mistake("uint8", _dataset(image=lambda x: torch.from_numpy(x).permute(2, 0, 1)), "The picture is still uint8, 0 to 255. Divide by 255: that makes it a float, too."),
        Mistake("channels last", _dataset(image=lambda x: torch.from_numpy(x) / 255), "The channels are still last. PyTorch wants (3, H, W): permute(2, 0, 1)."),
        Mistake(
            "reshaped",
            _dataset(image=lambda x: torch.from_numpy(x).reshape(3, *x.shape[:2]) / 255),
            "The shape is right, the picture is not: reshape only recounts. Move the axis: permute(2, 0, 1).",
        ),
        Mistake("turned", _dataset(image=lambda x: torch.from_numpy(x).permute(2, 1, 0) / 255), "Rows and columns changed places: permute(2, 0, 1) keeps their order."),
        Mistake("transform ignored", _dataset(used=False), "transform is never called. When it is not None, pass the picture through it."),
        Mistake("transform too early", _dataset(late=False), "You call transform on numbers up to 255. Scale to [0, 1] first."),
        Mistake("length of a picture", _dataset(length=lambda d: len(d.images[0])), "__len__ counts the rows of the first picture. It should count pictures."),
        Mistake("position as label", _dataset(label=lambda d, i: i), "You return the position as the label. Look it up: self.labels[index]."),
        Mistake("all labels", _dataset(label=lambda d, i: d.labels), "You return all labels. One picture has one: self.labels[index]."),
        Mistake("swapped", _dataset(item=lambda pair: pair[::-1]), "The pair is turned round: picture first, then label."),
        Mistake("no label", _dataset(item=lambda pair: pair[0]), "Only the picture comes back. Return the pair: image, label."),
    ],
    hints=[
        "__init__ only keeps what it is given. All work happens in __getitem__, when a picture is wanted.",
        "torch.from_numpy(...) makes a tensor, permute(2, 0, 1) puts the channels first, / 255 scales.",
        "Call self.transform(image) when it is not None, and return image, int(self.labels[index]).",
    ],
    note="With __len__ and __getitem__, a DataLoader can shuffle it, batch it and read it in several processes.",
)  # fmt: skip


def _block_apply(function, channels_in, channels_out, stride=1):
    """Return the block's answer with fixed numbers in its layers, and how many it learns."""
    block = function(channels_in, channels_out, stride)
    with torch.no_grad():
        for layer in block.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.copy_(torch.arange(layer.weight.numel()).reshape(layer.weight.shape).sin() / 2)
                if layer.bias is not None:
                    layer.bias.fill_(0.3)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.bias.copy_(torch.linspace(-0.5, 0.5, len(layer.bias)))
                layer.running_var.fill_(2.0)
        x = torch.arange(channels_in * 36).reshape(1, channels_in, 6, 6).cos()
        return block.eval()(x), sum(p.numel() for p in block.parameters())


class _BlockOther(nn.Module):
    """The two paths as two Sequentials."""

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        first = nn.Conv2d(channels_in, channels_out, (3, 3), (stride, stride), (1, 1), bias=False)
        second = nn.Conv2d(channels_out, channels_out, (3, 3), padding="same", bias=False)
        norms = nn.BatchNorm2d(channels_out), nn.BatchNorm2d(channels_out)
        self.long = nn.Sequential(first, norms[0], nn.ReLU(), second, norms[1])
        same = stride == 1 and channels_in == channels_out
        self.short = nn.Sequential() if same else nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.long(x) + self.short(x))


def _block(*, join=torch.add, between=torch.relu, end=torch.relu, shortcut="where needed", **options):
    """Return a block class that differs from the right one as the arguments say."""
    bias, norm, padding = (options.get(k, v) for k, v in (("bias", False), ("norm", True), ("padding", 1)))

    class ResidualBlock(nn.Module):
        def __init__(self, channels_in, channels_out, stride=1):
            super().__init__()
            again = options.get("again", False)
            self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding, bias=bias)
            self.conv2 = nn.Conv2d(channels_out, channels_out, 3, stride if again else 1, padding, bias=bias)
            self.norm1, self.norm2 = (
                nn.BatchNorm2d(channels_out) if norm else nn.Identity() for _ in range(2)
            )
            if options.get("shared", False):
                self.norm2 = self.norm1
            changes = stride != 1 or channels_in != channels_out
            wanted = {
                "where needed": changes,
                "never": False,
                "always": True,
                "channels": channels_in != channels_out,
            }
            self.shortcut = nn.Identity()
            if wanted[shortcut]:
                self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

        def forward(self, x):
            y = self.norm2(self.conv2(between(self.norm1(self.conv1(x)))))
            return end(join(y, self.shortcut(x)))

    return ResidualBlock


def _same(x):
    return x


RESIDUAL_BLOCK = Exercise(
    name="ResidualBlock",
    lesson="03",
    minutes=10,
    difficulty="medium",
    reference=nets.ResidualBlock,
    other=_BlockOther,
    cases=lambda: [Case(2, 2), Case(2, 4), Case(2, 2, 2), Case(3, 5, 2)],
    apply=_block_apply,
    tolerance=1e-4,
    mistakes=[
        Mistake("no shortcut", _block(join=lambda y, x: y), "The input is never added, so this is a plain pair of layers. Add self.shortcut(x) before the last ReLU."),
        Mistake("no last ReLU", _block(end=_same), "The ReLU after the addition is missing."),
        Mistake("ReLU before the addition", _block(end=_same, join=lambda y, x: y.relu() + x), "The last ReLU comes before the addition, so a block can only add. It comes after."),
        Mistake("no ReLU between", _block(between=_same), "Without a ReLU between them, two convolutions are one. Put it after the first norm."),
        Mistake("multiplied", _block(join=torch.mul), "The two paths are multiplied. Add them: then the gradient passes unchanged."),
        Mistake("subtracted", _block(join=torch.sub), "The input is subtracted. Add it."),
        Mistake("identity everywhere", _block(shortcut="never"), "The shortcut is the bare input even where channels or size change. There it needs a 1 x 1 convolution with the same stride."),
        Mistake("stride forgotten in the shortcut's rule", _block(shortcut="channels"), "With a stride of 2 and equal channels the input is still twice as large. The shortcut needs its convolution there, too."),
        Mistake("convolution everywhere", _block(shortcut="always"), "Where nothing changes shape, the shortcut is the input itself: no weights, no convolution."),
        Mistake("stride twice", _block(again=True), "Both convolutions have the stride. Only the first one; the second keeps the size."),
        Mistake("no padding", _block(padding=0), "The convolutions lose their border, so the paths no longer fit. padding=1 keeps the size."),
        Mistake("no norm", _block(norm=False), "The BatchNorm layers are missing: one after each 3 x 3 convolution."),
        Mistake("one norm for both", _block(shared=True), "Both convolutions share one BatchNorm. Each has numbers of its own to normalise: make two."),
        Mistake("biases", _block(bias=True), "The convolutions have biases, which the BatchNorm behind them takes off again. bias=False."),
    ],
    hints=[
        "The long path: conv 3 x 3 (with stride, padding=1, bias=False), norm, ReLU, conv 3 x 3, norm.",
        "The short path is nn.Identity(), or a 1 x 1 convolution with that stride where channels or stride change the shape.",
        "forward: y = norm1(conv1(x)).relu(); y = norm2(conv2(y)); return (y + shortcut(x)).relu()",
    ],
    note="With the long path at zero it passes its input on: a block too many does no harm.",
)  # fmt: skip
