"""Colours with a meaning: one for each class in the whole course, and dark enough for text."""

from zlib import crc32

from cvlab.draw.style import ERROR, PALETTE, PREDICTION, TRUTH

__all__ = ["class_color", "contrast", "ink", "ratio", "readable"]

READABLE = 4.5  # to 1: the least contrast of text in WCAG 2.2 (AA)
_BLUE, _VERMILLION, _GREEN, _PINK, _ORANGE, _SKY = PALETTE


def _mixed(color: str, other: str, share: float) -> str:
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([(1 - share) * a + share * b for a, b in zip(to_rgb(color), to_rgb(other), strict=True)])


def _light(color: str) -> str:
    return _mixed(color, "white", 0.5)


def _dark(color: str) -> str:
    return _mixed(color, "black", 0.5)


# The ten of CIFAR-10 differ, and so do the 17 that COCO and VOC share; light blue would be taken for sky.
_CLASSES = {
    "cat": (_ORANGE, None), "dog": (_BLUE, None), "bird": (_SKY, None), "frog": (_GREEN, None),
    "horse": (_VERMILLION, None), "airplane": (_PINK, None), "automobile": (_VERMILLION, _dark),
    "ship": (_BLUE, _dark), "deer": (_ORANGE, _dark), "truck": (_PINK, _dark),
    "bottle": (_GREEN, None), "cow": (_ORANGE, _dark), "bus": (_PINK, _dark),
    "tv": (_GREEN, _dark), "motorcycle": (_SKY, _dark), "person": (_VERMILLION, _light),
    "chair": (_ORANGE, _light), "train": (_GREEN, _light), "sheep": (_PINK, _light), "bicycle": (_SKY, _light),
    "truth": (TRUTH, None), "right": (TRUTH, None), "prediction": (PREDICTION, None),
    "detection": (PREDICTION, None), "error": (ERROR, None), "wrong": (ERROR, None),
}  # fmt: skip
_SAME = {
    "car": "automobile", "boat": "ship", "aeroplane": "airplane", "motorbike": "motorcycle", "tvmonitor": "tv",
}  # fmt: skip
_OTHERS = [(c, shade) for shade in (None, _dark, _light) for c in PALETTE if (c, shade) != (_BLUE, _light)]


def class_color(name: str) -> str:
    """Return the colour that a class has in every lesson: one of the palette's six hues, in one of three shades.

    Args:
        name: a class of the course's data sets; "truth", "prediction" and "error" have their fixed colours. Any
            other word gets a colour that is always the same, which another word may have too.

    Returns:
        The colour as "#rrggbb".

    Example:
        >>> class_color("cat"), class_color("car") == class_color("automobile")
        ('#e69f00', True)
    """
    word = str(name).strip().lower()
    word = _SAME.get(word, word)
    color, shade = _CLASSES.get(word) or _OTHERS[crc32(word.encode()) % len(_OTHERS)]
    return (shade(color) if shade else color).lower()


def contrast(a, b) -> float:
    """Return the contrast of two colours, from 1 (equal) to 21 (black on white).

    Args:
        a: a colour in any form that Matplotlib knows.
        b: the other.

    Example:
        >>> round(contrast("black", "white"), 2)
        21.0

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio".
    """
    from matplotlib.colors import to_rgb

    return ratio(to_rgb(a), to_rgb(b))


def ratio(a, b) -> float:
    """Return the contrast of two colours, as `contrast` does, without Matplotlib.

    Args:
        a: red, green and blue, each from 0 to 1.
        b: the other.

    Example:
        >>> round(ratio((0, 0, 0), (1, 1, 1)), 2)
        21.0
    """
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ink(paper) -> str:
    """Return "black" or "white", whichever is read more easily on `paper`.

    Example:
        >>> ink("#E69F00"), ink("#0072B2")
        ('black', 'white')
    """
    return "black" if contrast("black", paper) > contrast("white", paper) else "white"


def readable(color, paper="white") -> str:
    """Return the same hue, darkened (on dark paper: lightened) until text of it can be read, at 4.5:1.

    Args:
        color: a colour in any form that Matplotlib knows.
        paper: what the text stands on.

    Returns:
        The colour as "#rrggbb"; `color` itself where it can be read already.

    Example:
        >>> readable("#56B4E9"), readable("#0072B2")
        ('#3b7ca1', '#0072b2')
    """
    from matplotlib.colors import to_hex

    color = to_hex(color)
    shades = (_mixed(color, ink(paper), step / 100) for step in range(101))
    return next(shade for shade in shades if contrast(shade, paper) >= READABLE)


def _luminance(rgb) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
