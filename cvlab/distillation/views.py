"""Views of a picture: crops of two sizes and DINO's changes of colour; how far apart what a network says of them is."""

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.transforms.functional import adjust_hue, gaussian_blur

from cvlab._validate import arguments, positive_int

__all__ = ["auc", "change", "mix", "multi_crop", "random_crops", "solarize", "to_grey", "view_distances"]


def _image(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        got = str(value.dtype) if isinstance(value, torch.Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a float tensor, 0 to 1; got {got}. Bytes? {name}.float() / 255")
    last = value.ndim == 3 and value.shape[2] == 3 != value.shape[0]
    if value.ndim != 3 or 0 in value.shape or last:
        slip = f". A batch? Pass one picture: {name}[0]" if value.ndim == 4 else ""
        slip = f". Channels last? {name}.permute(2, 0, 1) puts them first" if last else slip
        raise ValueError(f"{name} must have shape (C, H, W); got {tuple(value.shape)}{slip}")
    return value


def _crops(value, name: str) -> torch.Tensor:
    value = torch.as_tensor(value)
    if value.ndim != 2 or value.shape[1] != 4:
        slip = f". One crop? Pass [{name}]" if value.shape == (4,) else ""
        raise ValueError(
            f"{name} must have shape (V, 4) as area, ratio, x, y; got {tuple(value.shape)}{slip}"
        )
    if len(value) < 2:
        raise ValueError(
            f"{name} must have at least two rows; got {len(value)}. DINO's student foretells what the teacher says "
            "of another view; with one there is nothing to foretell"
        )
    for row in value.tolist():
        area, ratio, x, y = row
        if not 0 < area <= 1:
            slip = " Percent? Divide by 100" if area > 1 else ""
            raise ValueError(
                f"area must be a share of the picture, above 0 and at most 1; got {area:g}.{slip}"
            )
        if not 0 < ratio < float("inf"):
            raise ValueError(f"ratio must be above 0, width over height; got {ratio:g}")
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"x and y must be 0 to 1, shares of the room beside the crop; got {x:g}, {y:g}")
    return value


def _they_fit(image, crops, **_) -> None:
    h, w = image.shape[1:]
    for area, ratio, _, _ in crops.tolist():
        wide, high = round((area * h * w * ratio) ** 0.5), round((area * h * w / ratio) ** 0.5)
        if wide > w or high > h:
            raise ValueError(
                f"a crop must fit into the picture; area {area:g} with ratio {ratio:g} asks for {wide} x {high} of "
                f"{w} x {h} pixels. Take a smaller area, or a ratio nearer to {w / h:g}"
            )
        if not wide or not high:
            raise ValueError(
                f"a crop must have a pixel; area {area:g} of {w} x {h} pixels has {wide} x {high}"
            )


@arguments(_they_fit, image=_image, crops=_crops, large=positive_int, small=positive_int)
def multi_crop(image: torch.Tensor, crops: torch.Tensor, large: int = 96, small: int = 48) -> list:
    """Cut parts out of a picture and resize them: the first two, the global ones, to `large`, the others to `small`.

    Args:
        image: (C, H, W) float.
        crops: (V, 4), at least two rows of area (share of the picture's, above 0), ratio (width over height), x and y
            (where it lies in the room that is left: 0 is the left or upper edge, 1 the other one).
        large: side of a global view in pixels.
        small: side of a local one.

    Returns:
        list of V views, (C, large, large) twice, then (C, small, small).

    Example:
        >>> crops = torch.tensor([[1, 1, 0, 0], [0.5, 1, 1, 1], [0.1, 1, 0.5, 0.5]])
        >>> [tuple(view.shape) for view in multi_crop(torch.zeros(3, 192, 192), crops)]
        [(3, 96, 96), (3, 96, 96), (3, 48, 48)]

    Source: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020.
    """
    h, w = image.shape[1:]
    views = []
    for i, (area, ratio, x, y) in enumerate(crops.tolist()):
        wide = round((area * h * w * ratio) ** 0.5)
        high = round((area * h * w / ratio) ** 0.5)
        left, top = round(x * (w - wide)), round(y * (h - high))
        part = image[:, top : top + high, left : left + wide]
        side = large if i < 2 else small
        view = F.interpolate(part[None], (side, side), mode="bilinear", antialias=True)
        views.append(view[0])
    return views


def random_crops(dice: np.random.Generator, local: int = 6) -> torch.Tensor:
    """Draw the crops of a square picture: two global ones of 40 to 100 % of its area, then local ones of 5 to 40 %.

    The ratio is 3:4 to 4:3, and never more than what fits into a square.

    Args:
        dice: `np.random.default_rng(seed)`.
        local: how many local ones, 0 or more.

    Returns:
        (2 + local, 4) float64, as `multi_crop` takes them.

    Example:
        >>> crops = random_crops(np.random.default_rng(0))
        >>> crops.shape, bool(crops[:2, 0].min() >= 0.4), bool(crops[2:, 0].max() <= 0.4)
        (torch.Size([8, 4]), True, True)

    Source: areas of Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021.
    """
    area = np.concatenate([dice.uniform(0.4, 1, 2), dice.uniform(0.05, 0.4, local)])
    most = np.log(np.minimum(4 / 3, 1 / area))
    ratio = np.exp(dice.uniform(-most, most))
    return torch.from_numpy(np.column_stack([area, ratio, dice.random((2 + local, 2))]))


def mix(image: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """Mix two pictures: 1 is the first, 0 the other, above 1 goes further away from the other; kept in 0 to 1.

    Example:
        >>> mix(torch.tensor([0.5, 0.75]), torch.zeros(1), 1.5)
        tensor([0.7500, 1.0000])
    """
    return (share * image + (1 - share) * other).clamp(0, 1)


def to_grey(image: torch.Tensor) -> torch.Tensor:
    """Return (..., 1, H, W) brightness of a (..., 3, H, W) picture: the eye's weights of red, green and blue.

    Example:
        >>> to_grey(torch.ones(3, 1, 1)).item()
        1.0

    Source: ITU-R BT.601.
    """
    red, green, blue = image.unbind(-3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)


def solarize(image: torch.Tensor) -> torch.Tensor:
    """Turn over what is bright: from a half on, a value becomes 1 - value.

    Example:
        >>> solarize(torch.tensor([0.25, 0.5, 1.0]))
        tensor([0.2500, 0.5000, 0.0000])
    """
    return torch.where(image < 0.5, image, 1 - image)


def change(views: list, dice: np.random.Generator) -> list:
    """Change each view as DINO does: mirrored, other colours, grey, blurred, and only the second one solarised.

    Args:
        views: (3, H, W) float, 0 to 1, the two global ones first.
        dice: `np.random.default_rng(seed)`.

    Returns:
        the views, changed, in the same order.

    Example:
        >>> [view.shape for view in change([torch.zeros(3, 8, 8)] * 2, np.random.default_rng(0))]
        [torch.Size([3, 8, 8]), torch.Size([3, 8, 8])]

    Source: Caron et al. 2021, after Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.
    """
    changed = []
    for i, view in enumerate(views):
        if dice.random() < 0.5:
            view = view.flip(-1)
        if dice.random() < 0.8:
            light, contrast = dice.uniform(0.6, 1.4, 2)
            view = mix(view, torch.zeros(1), light)
            view = mix(view, to_grey(view).mean(), contrast)
            view = mix(view, to_grey(view), dice.uniform(0.8, 1.2))
            view = adjust_hue(view, dice.uniform(-0.1, 0.1))
        if dice.random() < 0.2:
            view = to_grey(view).expand(3, -1, -1)
        if dice.random() < (1.0, 0.1, 0.5)[min(i, 2)]:
            wide = view.shape[-1] // 20 * 2 + 1  # odd
            view = gaussian_blur(view, wide, dice.uniform(0.1, 2))
        if i == 1 and dice.random() < 0.2:
            view = solarize(view)
        changed.append(view)
    return changed


def _rows(value, name: str) -> torch.Tensor:
    if value.ndim != 2 or len(value) < 2:
        raise ValueError(
            f"{name} must have shape (N, D) with at least two rows; got {tuple(value.shape)}. "
            "Maps? Pool them: maps.mean((2, 3))"
        )
    return value.float()


def _paired(features_a, features_b) -> None:
    if features_a.shape != features_b.shape:
        raise ValueError(
            "features_a and features_b must have the same shape, row for row two views of one thing; got "
            f"{tuple(features_a.shape)} and {tuple(features_b.shape)}"
        )


@arguments(_paired, features_a=_rows, features_b=_rows)
def view_distances(features_a: torch.Tensor, features_b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how far apart two views are, 1 - cosine: those of one thing, and those of two different things.

    Args:
        features_a: (N, D) what a network says of one view of each of N things.
        features_b: (N, D) of another view of the same things.

    Returns:
        (N,) distances within a thing, and (N * (N - 1),) between things; 0 to 2.

    Example:
        >>> within, between = view_distances(torch.eye(2), torch.tensor([[1.0, 0], [0, 2.0]]))
        >>> within.tolist(), between.tolist()
        ([0.0, 0.0], [1.0, 1.0])
    """
    a, b = F.normalize(features_a, dim=1), F.normalize(features_b, dim=1)
    apart = 1 - a @ b.T  # (N, N)
    same = torch.eye(len(a), dtype=torch.bool)
    return apart[same], apart[~same]


def auc(within: torch.Tensor, between: torch.Tensor) -> float:
    """Return how often a distance within a thing is the smaller one: 1 is always, 0.5 is what chance gives.

    Args:
        within: (N,) distances between views of one thing.
        between: (M,) distances between views of different things.

    Example:
        >>> auc(torch.tensor([0.1, 0.4]), torch.tensor([0.3, 0.5]))
        0.75

    Source: Mann and Whitney, 1947; the area under the ROC curve.
    """
    smaller, equal = within[:, None] < between, within[:, None] == between  # (N, M)
    return (smaller.float() + equal.float() / 2).mean().item()
