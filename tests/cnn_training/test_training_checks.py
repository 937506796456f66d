"""The checks of lesson 03 take every right answer, however it is written, and see what the numbers alone don't show."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvlab.checks._engine import registry
from cvlab.checks._engine.accept import as_array, as_float
from cvlab.checks._engine.grade import grade
from cvlab.cnn_training import loop, nets


def outcome(name, answer):
    return grade(registry.find(name), answer)


class Lists:
    """A data set that is no Dataset, hands out lists, labels as they are stored, and pictures as float64."""

    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(np.transpose(self.images[index], (2, 0, 1)) / 255)
        return [image if self.transform is None else self.transform(image), self.labels[index]]


class BareParameters(nn.Module):
    """A block without convolution layers: their weights are bare parameters, the shortcut's first."""

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.stride, self.short = stride, None
        if stride != 1 or channels_in != channels_out:
            self.short = nn.Parameter(torch.randn(channels_out, channels_in, 1, 1))
        self.second = nn.Parameter(torch.randn(channels_out, channels_out, 3, 3))
        self.first = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels_out), nn.BatchNorm2d(channels_out)])

    def forward(self, x):
        y = F.relu(self.norms[0](F.conv2d(x, self.first, stride=self.stride, padding=1)), inplace=True)
        y = self.norms[1](F.conv2d(y, self.second, padding=1))
        y += x if self.short is None else F.conv2d(x, self.short, stride=self.stride)
        return y.clamp(min=0)


class Lazy(nn.Module):
    """A block whose layers learn their number of input channels from the first batch."""

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.long = nn.Sequential(
            nn.LazyConv2d(channels_out, 3, stride, padding=1, bias=False),
            nn.LazyBatchNorm2d(),
            nn.ReLU(inplace=True),
            nn.LazyConv2d(channels_out, 3, padding=1, bias=False),
            nn.LazyBatchNorm2d(),
        )
        self.short = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.short = nn.LazyConv2d(channels_out, 1, stride, bias=False)

    def forward(self, x):
        return F.relu(self.long(x) + self.short(x))


def in_float32(weight, grad, velocity, lr=0.1, momentum=0.9):
    velocity = (momentum * velocity + grad).astype(np.float32)
    return [weight.astype(np.float32) - np.float32(lr) * velocity, velocity]


def zero_after_step(model, batches, loss_function, optimizer):
    model.train()
    total = count = 0
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total, count = total + loss.detach() * len(labels), count + len(labels)
    return total / count


@torch.inference_mode()
def a_tensor(model, batches):
    mode = model.training
    model.eval()
    hits = torch.cat([model(images).argmax(1) == labels for images, labels in batches])
    model.train(mode)
    return hits.float().mean()


def a_tuple(*args):
    return tuple(np.float32(loss) for loss in loop.overfit_one_batch(*args))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("StickerDataset", Lists),
        ("cross_entropy", lambda logits, labels: nn.CrossEntropyLoss()(logits.double(), labels)),
        ("sgd_momentum_step", in_float32),
        ("train_epoch", zero_after_step),
        ("accuracy", a_tensor),
        ("overfit_one_batch", a_tuple),
        ("ResidualBlock", BareParameters),
        ("ResidualBlock", Lazy),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_right_answers_written_otherwise_pass(name, answer):
    assert outcome(name, answer), outcome(name, answer)


def test_a_part_of_the_answer_is_called_by_its_name():
    class Turned(Lists):
        def __getitem__(self, index):
            return super().__getitem__(index)[0].flip(1), 5

    message = outcome("StickerDataset", Turned).message
    assert message.startswith("The picture: 18 of 18 values differ.")
    loss = outcome("cross_entropy", lambda logits, labels: logits.detach().sum())
    assert loss.message.startswith("The loss: The value differs.")
    assert dict(loss.rows)["Got"].startswith(
        "loss: torch tensor 0.0, float32, shape (); gradient of the logits:"
    )


def test_a_layer_that_is_never_used_is_noticed():
    class Forgotten(nets.ResidualBlock):
        def __init__(self, *args):
            super().__init__(*args)
            self.unused = self.norm2
            self.norm2 = self.norm1

    result = outcome("ResidualBlock", Forgotten)
    assert (
        result.message == "`forward` uses one norm twice and the other never. Each convolution has its own."
    )


@pytest.mark.parametrize(
    "value", [True, "1", [1.0], np.zeros(1), torch.zeros(1), torch.ones((), requires_grad=True)]
)
def test_only_a_single_number_becomes_a_float(value):
    assert as_float(value) is value


def test_a_tensor_becomes_an_array_unless_it_needs_a_gradient():
    assert as_array(torch.tensor([1, 2])).tolist() == [1, 2]
    learnt = torch.zeros(2, requires_grad=True)
    assert as_array(learnt) is learnt
