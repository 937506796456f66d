"""The fast recipe of lesson 03: a small net, and the tricks that bring it to an accuracy in a fraction of the time."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from cvlab import _validate
from cvlab.cnn_training import batches, loop
from cvlab.cnn_training.augmentation import augment

__all__ = [
    "Muon",
    "Recipe",
    "accuracy_mirrored",
    "fast_net",
    "fit_fast",
    "orthogonal",
    "whiten",
]


def fast_net(widths=(32, 64, 128), classes=10) -> nn.Module:
    """A first convolution of 2 x 2; then for each width: convolve, halve, normalise, convolve, normalise.

    Pooling comes right behind the convolution, so all that follows has a quarter of the numbers to work on.

    Args:
        widths: channels of each stage; each stage halves height and width.
        classes: outputs.

    Example:
        >>> fast_net((8, 16))(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])

    Source: simplified from Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024.
    """
    layers, channels = [nn.Conv2d(3, 24, 2), nn.ReLU()], 24  # (B, 24, H - 1, W - 1)
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]  # half of H and W
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def _a_first_convolution(conv, images) -> None:
    if not isinstance(conv, nn.Conv2d) or conv.bias is None or conv.kernel_size[0] != conv.kernel_size[1]:
        raise ValueError(
            f"conv must be a Conv2d with bias and square kernels; got {conv}. Is it from fast_net?"
        )
    if images.ndim != 4 or images.shape[1] != conv.in_channels:
        raise ValueError(
            f"images must be (N, {conv.in_channels}, H, W) for this convolution; got {tuple(images.shape)}"
        )
    if not images.isfinite().all():
        raise ValueError("images must hold finite numbers; got NaN or infinity. Divided by a spread of 0?")


@_validate.arguments(_a_first_convolution)
def whiten(conv, images) -> None:
    """Set a first convolution to the directions in which patches of `images` vary, each scaled to the same spread.

    Half of the kernels are those directions, the other half their negatives: ReLU then loses nothing.

    Args:
        conv: a `Conv2d` with bias, from C channels, with square kernels; changed in place. It should have 2 C k k outputs;
            of fewer, the directions of largest spread are kept, and what is over stays as it was.
        images: (N, C, H, W) floats; a few hundred are enough.

    Source: Page, How to train your ResNet 8, 2019.
    """
    out, C, k, _ = conv.weight.shape
    patches = F.unfold(images, k, stride=2).transpose(1, 2).reshape(-1, C * k * k)  # (patches, C k k)
    spread, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # the smallest spread first
    keep = min(out // 2, C * k * k)
    kernels = (directions / (spread + 5e-4).sqrt()).T[-keep:].reshape(keep, C, k, k)
    with torch.no_grad():
        conv.weight[: 2 * keep] = torch.cat([kernels, -kernels])
        conv.bias.zero_()


def orthogonal(matrix) -> torch.Tensor:
    """Bring the singular values of a matrix near 1 and keep its directions: a polynomial three times, no SVD.

    Args:
        matrix: (m, n) floats.

    Returns:
        (m, n); where the SVD of `matrix` is U S V, something near U V.

    Example:
        >>> orthogonal(torch.diag(torch.tensor([9.0, 4.0]))).round()
        tensor([[1., 0.],
                [0., 1.]])

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024.
    """
    x = matrix / (matrix.norm() + 1e-7)  # no singular value is above 1 now
    for _ in range(3):
        square = x @ x.T if len(x) <= x.shape[1] else x.T @ x  # the smaller of the two
        change = -4.7750 * square + 2.0315 * square @ square
        x = 3.4445 * x + (change @ x if len(x) <= x.shape[1] else x @ change)
    return x


class Muon(torch.optim.Optimizer):
    """Momentum, then all directions of the step made equally long: for the kernels of convolutions.

    Args:
        params: weights of two axes or more; kernels (out, in, k, k) count as an (out, in k k) matrix.
        lr: the learning rate.
        momentum: the share of the old velocity that stays, 0 to 1.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024.
    """

    def __init__(self, params, lr=0.12, momentum=0.6):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step; `closure` is there for the schedules of torch and is not called."""
        for group in self.param_groups:
            for weight in (w for w in group["params"] if w.grad is not None):
                velocity = group["momentum"] * self.state[weight].get("velocity", 0) + weight.grad
                self.state[weight]["velocity"] = velocity
                ahead = weight.grad + group["momentum"] * velocity  # Nesterov's look ahead
                weight.mul_(len(weight) ** 0.5 / weight.norm())  # the weights keep their size
                weight.sub_(group["lr"] * orthogonal(ahead.flatten(1)).view_as(weight))


@dataclass(frozen=True)
class Recipe:
    """How `fit_fast` trains; each trick can be turned off alone.

    Args:
        muon: `Muon` for the kernels; else SGD with momentum for all weights.
        lr: of Muon, or of SGD where `muon` is off; None is the rate that did best in each case.
        one_cycle: the learning rate rises for a fifth of the training and falls to 0; else it stays.
        whiten: the first convolution is what `whiten` makes of it, and stays so.
        smoothing: the part of each label that is shared out among all classes.
        copies: pictures are mirrored or not, and moved by up to this many pixels; None changes nothing.
        colour: how much each channel's contrast and brightness may change, as in `augment`.
        small: the part of the training, from its start, that sees pictures of three quarters the size.
        channels_last: keep each pixel's channels side by side in memory, as convolutions on CPUs like it.
        bfloat16: convolve in 16 bits, which new CPUs do faster and old ones slower. The numbers that come out differ.
        size: pictures a batch.
    """

    muon: bool = True
    lr: float | None = None
    one_cycle: bool = True
    whiten: bool = True
    smoothing: float = 0.2
    copies: int | None = 2
    colour: float = 0.0
    small: float = 0.4
    channels_last: bool = True
    bfloat16: bool = False
    size: int = 250


def fit_fast(model, images, labels, epochs, recipe=None, seed=0) -> list[float]:
    """Train `fast_net` by a recipe; an interrupt ends it early, with the model as it was then.

    Args:
        model: from `fast_net`; changed in place.
        images: (N, 3, H, W) floats with mean near 0, on the CPU.
        labels: N whole numbers from 0.
        epochs: how often every picture is seen.
        recipe: None is `Recipe()`.
        seed: of the order and of the random changes.

    Returns:
        The loss of each step.

    Raises:
        FloatingPointError: the loss is NaN or infinite; says at which step, and the likely cause.
    """
    recipe = recipe or Recipe()
    optimizers = _prepare(model, images, recipe)
    feed = batches.Batches(images, labels, recipe.size, seed=seed, change=_changes(recipe))
    total = _validate.positive_int(epochs, "epochs") * len(feed)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, _shape(recipe, total)) for o in optimizers]
    losses: list[float] = []
    model.train()
    try:
        for x, y in (pair for _ in range(epochs) for pair in feed):
            x = _laid_out(x, recipe, small=len(losses) < recipe.small * total)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                logits = model(x)
            loop.one_label_a_row(logits, y)
            loss = F.cross_entropy(logits.float(), y, label_smoothing=recipe.smoothing)
            loop.stop_if_not_finite(loss.item(), x, len(losses), optimizers[0].defaults["lr"])
            model.zero_grad()
            loss.backward()
            for part in (*optimizers, *schedules):
                part.step()
            losses.append(loss.item())
    except KeyboardInterrupt:
        print(f"Stopped by you after {len(losses)} of {total} steps: the model is as it was then.")
    return losses


def _prepare(model, images, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Whiten the first convolution, lay out the weights, and say which optimizer moves which of them."""
    if recipe.whiten:
        whiten(model[0], images[:500])
        model[0].weight.requires_grad_(False)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    if not recipe.muon:
        lr = recipe.lr or 0.15
        return [torch.optim.SGD(learnt, lr, momentum=0.9, nesterov=True, weight_decay=5e-4)]
    others = [weight for weight in learnt if weight.ndim != 4]
    kernels = [weight for weight in learnt if weight.ndim == 4]
    return [Muon(kernels, recipe.lr or 0.12), torch.optim.SGD(others, 0.05, momentum=0.9, nesterov=True)]


def _changes(recipe: Recipe):
    """Return what changes a batch at random, or None."""
    if recipe.copies is None:
        return None
    return lambda x, dice: augment(x, dice, shift=recipe.copies, colour=recipe.colour)


def _shape(recipe: Recipe, total: int):
    """Return the learning rate's course as a function of the step: a share of its peak."""
    if not recipe.one_cycle:
        return lambda step: 1.0
    return lambda step: min(0.2 + 4 * step / total, 1.25 * (1 - step / total))


def _laid_out(x: torch.Tensor, recipe: Recipe, *, small: bool) -> torch.Tensor:
    """Return a batch at the size and in the memory order that the recipe asks for."""
    if small:
        x = F.interpolate(x, scale_factor=0.75, mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x


@torch.no_grad()
def accuracy_mirrored(model, batches) -> float:
    """Return the share of right answers when each picture and its mirror image are judged together.

    Args:
        model: from (B, C, H, W) to (B, K) logits; its mode is left as it was.
        batches: (images, labels) pairs.

    Returns:
        A float from 0 to 1.
    """
    return loop.accuracy(_Both(model), batches)


class _Both(nn.Module):
    """Adds what a model says of a picture and of its mirror image."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.training = model.training

    def forward(self, x):
        return self.model(x) + self.model(x.flip(3))
