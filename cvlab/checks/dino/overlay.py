"""The exercise of lesson 08b that lays several heads over a picture: attention_overlay."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.dino import overlay

__all__ = ["ATTENTION_OVERLAY"]

RED, BLUE = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]


def _apply(function, image, attention, colors, **more):
    return function(image, attention, colors, **more)


def _case(image, attention, colors, **more) -> Case:
    words = "".join(f", {name}={value}" for name, value in more.items())
    text = f"attention_overlay(image, np.array({attention}), np.array({colors}){words})"
    image = np.array(image, np.uint8)
    return Case(image=image, attention=np.array(attention), colors=np.array(colors), **more).shown_as(text)


def _random(side: int, step: int, heads: int, seed: int, **more) -> Case:
    dice = np.random.default_rng(seed)
    image = dice.integers(0, 256, (side * step, side * step, 3)).astype(np.uint8)
    attention, colors = dice.dirichlet(np.full(side**2, 0.3), heads), dice.random((heads, 3))
    text = f"attention_overlay(image, attention, colors)  # {heads} heads, {side} x {side} places"
    return Case(image=image, attention=attention, colors=colors, **more).shown_as(text)


def _cases() -> list[Case]:
    gray = [[[90, 90, 90]] * 2] * 2
    return [
        _case([[[100, 150, 50]]], [[1.0]], [RED]),
        _case(gray, [[0.5, 0.25, 0.25, 0.0]], [RED]),
        _case(gray, [[0.5, 0.5, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]], [RED, BLUE], veil=0.5),
        _random(2, 3, 3, seed=0),
        _random(3, 2, 2, seed=1, veil=1.0),
        _random(4, 2, 5, seed=2, veil=0.3),
    ]


def _other(image, attention, colors, veil=0.8):
    """Pixel by pixel."""
    side, size = int(attention.shape[1] ** 0.5), len(image)
    out = np.empty(image.shape)
    for y in range(size):
        for x in range(size):
            place = y * side // size * side + x * side // size
            strengths = [head[place] / max(head) for head in attention]
            gray, alpha = sum(map(float, image[y, x])) / 3 / 255, veil * max(strengths)
            hue = sum((s * c for s, c in zip(strengths, colors, strict=True)), np.zeros(3)) / max(
                sum(strengths), 1e-9
            )
            out[y, x] = gray * (1 - alpha) + hue * alpha
    return out


def _grown(maps, step):
    return maps.repeat(step, axis=1).repeat(step, axis=2)


def _by_head(maps):
    return maps / maps.max(axis=(1, 2), keepdims=True)


def _gray(image):
    return image.mean(axis=2, keepdims=True) / 255


def _mean_hue(maps, colors):
    return np.einsum("khw,kc->hwc", maps, colors) / np.maximum(maps.sum(axis=0), 1e-9)[..., None]


def _made(*, scale=_by_head, grow=_grown, hue=_mean_hue, ground=_gray, alpha=lambda maps, veil: veil * maps.max(axis=0),
          order="C", veil_is=None, end=lambda out: out):  # fmt: skip
    """Return an `attention_overlay` that differs from the right one as the arguments say."""

    def attention_overlay(image, attention, colors, veil=0.8):
        side = round(attention.shape[1] ** 0.5)
        maps = attention.reshape(len(attention), side, side)
        maps = maps.swapaxes(1, 2) if order == "F" else maps
        maps = grow(scale(maps), len(image) // side)
        strength = alpha(maps, veil if veil_is is None else veil_is)[..., None]
        return end((1 - strength) * ground(image) + strength * hue(maps, colors))

    return attention_overlay


def _one_after_the_other(image, attention, colors, veil=0.8):
    side = round(attention.shape[1] ** 0.5)
    maps = _grown(_by_head(attention.reshape(-1, side, side)), len(image) // side)
    out = np.repeat(_gray(image), 3, axis=2)
    for strength, color in zip(maps[..., None], colors, strict=True):
        out = (1 - veil * strength) * out + veil * strength * color
    return out


ATTENTION_OVERLAY = Exercise(
    name="attention_overlay",
    lesson="08b",
    minutes=12,
    difficulty="medium",
    reference=overlay.attention_overlay,
    other=_other,
    cases=_cases,
    apply=_apply,
    any_float=True,
    mistakes=[
        Mistake("the picture keeps its colour", _made(ground=lambda image: image / 255), "The picture still has colours of its own, and they mix with the heads'. Take the mean of its three channels."),
        Mistake("bytes", _made(ground=lambda image: image.mean(axis=2, keepdims=True)), "Your grey goes to 255, the colours to 1. Divide the grey by 255."),
        Mistake("not scaled", _made(scale=lambda maps: maps), "You take the weights as they are: over many places they sum to 1, so none is strong. Divide each head by its largest."),
        Mistake("scaled by the largest of all", _made(scale=lambda maps: maps / maps.max()), "All heads are divided by one number, so a head that looks everywhere vanishes. Divide each by its *own* largest."),
        Mistake("scaled from its smallest", _made(scale=lambda maps: (maps - maps.min((1, 2), keepdims=True)) / np.maximum(np.ptp(maps, axis=(1, 2), keepdims=True), 1e-9)), "You take the smallest weight off first. The strength is a share of the largest: divide only."),
        Mistake("tiled", _made(grow=lambda maps, step: np.tile(maps, (1, step, step))), "`tile` sets the whole map beside itself. Each place becomes a square: `repeat` along both axes."),
        Mistake("rows and columns swapped", _made(order="F"), "Your maps lie on their side: places go row by row, as `reshape` reads them."),
        Mistake("colours added", _made(hue=lambda maps, colors: np.einsum("khw,kc->hwc", maps, colors)), "The colours are weighted and added, but not divided by the sum of their weights: where heads agree they pass 1."),
        Mistake("heads count alike", _made(hue=lambda maps, colors: np.broadcast_to(colors.mean(axis=0), (*maps.shape[1:], 3))), "Each place has the mean of all colours. A head's colour counts by its strength there."),
        Mistake("the strongest head only", _made(hue=lambda maps, colors: colors[maps.argmax(axis=0)]), "Each place has the colour of its strongest head alone. Mix all, each by its strength."),
        Mistake("mean of the strengths", _made(alpha=lambda maps, veil: veil * maps.mean(axis=0)), "The veil is the heads' *mean* strength, so a place that one head loves stays grey. Take the largest."),
        Mistake("sum of the strengths", _made(alpha=lambda maps, veil: veil * maps.sum(axis=0)), "The veil is the *sum* of the strengths, which passes 1. Take the largest."),
        Mistake("the same veil everywhere", _made(alpha=lambda maps, veil: np.full(maps.shape[1:], veil)), "The veil is equally strong everywhere, and hides the picture where nobody looks. Multiply it by the largest strength."),
        Mistake("veil upside down", _made(alpha=lambda maps, veil: 1 - veil * maps.max(axis=0)), "Strong attention shows the grey picture, weak the colours. Turn the two shares round."),
        Mistake("no veil", _made(veil_is=1.0), "`veil` is not used: the strongest place of a head still lets 1 - veil of the picture through."),
        Mistake("always 0.8", _made(veil_is=0.8), "The veil is an argument: use the one that was given."),
        Mistake("one head after the other", _one_after_the_other, "You lay one head over the other, so the last one counts most. Mix the colours first, then lay the mixture over the picture once."),
        Mistake("bytes in the end", _made(end=lambda out: (255 * out).astype(np.uint8)), "You return bytes. Return floats from 0 to 1."),
    ],
    hints=[
        "Three pictures of one size: the grey one, the mixed colour, and how strong the colour is. The last line mixes the first two by the third.",
        "Each head as a map, its strongest place 1, each place a square of pixels:\n"
        "    maps = attention.reshape(heads, side, side)\n"
        "    maps = maps / maps.max(axis=(1, 2), keepdims=True)\n"
        "    maps = maps.repeat(step, axis=1).repeat(step, axis=2)",
        "The mixed colour, weighted by the strengths, and the veil:\n"
        '    hue = np.einsum("khw,kc->hwc", maps, colors) / total\n'
        "    alpha = veil * maps.max(axis=0)[..., None]\n"
        "where `total` is the sum of the strengths at each pixel, kept above 0.",
    ],
    equivalent={
        "maps = maps / maps.max(axis=(2, 1), keepdims=True)": "the largest of a map is the same, rows or columns first",
        "step = len(image) / side": "the side is a multiple of the places, so the quotient is whole",
        "total = np.maximum(maps.sum(axis=0), 2e-09)[..., None]": "it only keeps a division by 0 away, where the veil is 0",
    },
    note="The order of the heads makes no difference: shuffled together with their colours they give the same picture.",
)  # fmt: skip
