"""The exercise of lesson 08a that turns pictures into words: `patchify`."""

import torch
import torch.nn.functional as F

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.distillation import patches as package

__all__ = ["PATCHIFY"]


def _case(*shape: int, patch: int, dtype=torch.float32) -> Case:
    """Pictures whose every number is another one, so that each place of the answer can be told."""
    count = torch.Size(shape).numel()
    kind = "" if dtype is torch.float32 else f", dtype=torch.{str(dtype).split('.')[1]}"
    end = count if kind else f"{count}."
    text = f"patchify(torch.arange({end}{kind}).reshape{shape}, {patch})"
    return Case(images=torch.arange(count, dtype=dtype).reshape(shape), patch=patch).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case(1, 1, 1, 1, patch=1),
        _case(1, 1, 2, 2, patch=1),
        _case(1, 1, 4, 4, patch=2),
        _case(1, 1, 2, 6, patch=2),
        _case(1, 1, 6, 2, patch=2),
        _case(1, 2, 4, 4, patch=2),
        _case(2, 1, 4, 4, patch=2),
        _case(1, 3, 2, 2, patch=2),
        _case(2, 3, 4, 6, patch=2),
        _case(3, 2, 9, 6, patch=3),
        _case(2, 3, 4, 8, patch=4, dtype=torch.uint8),
        _case(2, 5, 3, 2, patch=1),
    ]


def _other(images, patch):
    """As a convolution reads them."""
    b, c, h, w = images.shape
    rows = [
        images[:, :, y : y + patch, x : x + patch].flatten(1)
        for y in range(0, h, patch)
        for x in range(0, w, patch)
    ]
    return torch.stack(rows, dim=1)


def _made(order, end=lambda x, images, patch: x.reshape(len(images), -1, x[0, 0, 0].numel())):
    """Return a `patchify` that orders (B, C, rows, P, columns, P) as `order` says."""

    def patchify(images, patch):
        b, c, h, w = images.shape
        x = images.reshape(b, c, h // patch, patch, w // patch, patch)
        return end(x.permute(order), images, patch)

    return patchify


def _length(images, patch):
    return images.shape[1] * patch * patch


def _plain(images, patch):
    return images.reshape(len(images), -1, _length(images, patch))


def _channels_last_first(images, patch):
    return images.permute(0, 2, 3, 1).reshape(len(images), -1, _length(images, patch))


def _sides_swapped(images, patch):
    b, c, h, w = images.shape
    x = images.reshape(b, c, patch, h // patch, patch, w // patch)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(b, -1, _length(images, patch))


def _one_picture(images, patch):
    return package.patchify(images, patch).flatten(0, 1)


def _squares(images, patch):
    x = package.patchify(images, patch)
    return x.reshape(*x.shape[:2], images.shape[1], patch, patch)


def _first_channel(images, patch):
    return package.patchify(images[:, :1], patch)


def _every_place(images, patch):
    return F.unfold(images.float(), patch).to(images.dtype).mT


def _unfolded(images, patch):
    return F.unfold(images.float(), patch, stride=patch).to(images.dtype)


def _sixteen(images, patch):
    return (
        package.patchify(images, 2)
        if images.shape[2] % 2 == images.shape[3] % 2 == 0
        else _plain(images, patch)
    )


PATCHIFY = Exercise(
    name="patchify",
    lesson="08a",
    minutes=8,
    difficulty="medium",
    reference=package.patchify,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake("a plain reshape", _plain, "The shape is right, the numbers are not: `reshape` alone cuts off the next numbers in memory, a stripe of a picture. Split H and W first, then `permute`."),
        Mistake("channels last, then a plain reshape", _channels_last_first, "You cut off the next pixels in memory, a stripe of a picture. Split H and W in two each, then `permute`."),
        Mistake("patches in column order", _made((0, 4, 2, 1, 3, 5)), "Your patches run down the columns. They are read as a page is: along the first row, then the next."),
        Mistake("pixels in column order", _made((0, 2, 4, 1, 5, 3)), "Within a patch rows and columns are swapped: each patch lies on its side. Keep rows before columns there too."),
        Mistake("both in column order", _made((0, 4, 2, 1, 5, 3)), "Rows and columns are swapped, of the patches and within each. Rows come before columns, both times."),
        Mistake("channels last within a patch", _made((0, 2, 4, 3, 5, 1)), "Within a patch your channels come last: R, G, B of a pixel, then the next pixel. All of channel 0 comes first, as in (C, P, P)."),
        Mistake("channels between rows and columns", _made((0, 2, 4, 3, 1, 5)), "Within a patch the channels stand between rows and columns. They come first: (C, P, P)."),
        Mistake("channel by channel outside", _made((0, 1, 2, 4, 3, 5), lambda x, images, patch: x.reshape(len(images), -1, _length(images, patch))), "Each of your rows holds one channel of several patches. The channels of a patch belong into its own row: (B, rows, columns, C, P, P)."),
        Mistake("one pixel of each patch", _sides_swapped, "You split a side the wrong way round, so that a row holds one pixel of every patch. H is (H / patch, patch): which patch, then which pixel."),
        Mistake("sides split, not moved", _made((0, 2, 3, 1, 4, 5), lambda x, images, patch: x.reshape(len(images), -1, _length(images, patch))), "The columns of patches must come forward, beside the rows of patches: (B, rows, columns, C, P, P)."),
        Mistake("pictures run together", _one_picture, "The patches of all pictures stand in one list. Keep the first side B, or nobody knows which picture a patch is of."),
        Mistake("squares kept", _squares, "Your patches are still squares (C, P, P). Lay each one out as one row of C * P * P numbers."),
        Mistake("transposed", _unfolded, "`F.unfold` gives (B, numbers, patches). Patches come first: `.transpose(1, 2)`."),
        Mistake("every place", _every_place, "Your patches overlap: you moved by one pixel. Move by a whole patch."),
        Mistake("first channel only", _first_channel, "Only the first channel is left. A patch has C * P * P numbers."),
        Mistake("always 2", _sixteen, "Use the `patch` that was given."),
    ],
    hints=[
        "On paper: a 4 x 4 picture holds 0 to 15, row by row. Its first patch of 2 x 2 is 0, 1, 4, 5. Which sides would have to be neighbours in memory for `reshape` to find them?",
        "Split both sides in two, which patch and which pixel of it:\n"
        "    b, c, h, w = images.shape\n"
        "    x = images.reshape(b, c, h // patch, patch, w // patch, patch)",
        "Bring forward which patch it is, then join the rest:\n"
        "    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, P, P)\n"
        "    return x.reshape(b, h // patch * (w // patch), c * patch * patch)",
    ],
    note="Not a number is lost or changed: the picture's numbers stand in another order.",
    shorter="torch.nn.functional.pixel_unshuffle(images, patch).flatten(2).mT",
)  # fmt: skip
