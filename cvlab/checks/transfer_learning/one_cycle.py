"""The exercise of lesson 04 that rises and falls: the learning rate of one cycle."""

import numpy as np

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.transfer_learning import schedules

__all__ = ["ONE_CYCLE"]


def _apply(function, step, total, peak, **options):
    return as_float(function(step, total, peak, **options))


def _cases() -> list[Case]:
    other = {"warmup": 0.5, "div": 10, "final_div": 4}
    return [
        Case(0, 10, 1.0),
        Case(2, 10, 1.0),
        Case(9, 10, 1.0),
        Case(1, 10, 1.0),
        Case(4, 10, 1.0),
        Case(7, 10, 0.5),
        *(Case(step, 20, 0.2, **other) for step in (0, 3, 9, 12, 19)),
        *(Case(step, 50, 0.1, warmup=0.25) for step in (5, 11, 12, 30)),
    ]


def _other(step, total, peak, warmup=0.3, div=25, final_div=1e4):
    """Take the square of a quarter cosine, which is half a cosine."""
    top, start = warmup * total - 1, peak / div
    rising = step < top
    low = start if rising else start / final_div
    away = (top - step) / top if rising else (step - top) / (total - 1 - top)
    return low + (peak - low) * np.cos(np.pi / 2 * away) ** 2


def _with(rule):
    """Return an answer from `rule(step, total, peak, warmup, div, final_div)`, with the exercise's defaults."""

    def one_cycle(step, total, peak, warmup=0.3, div=25, final_div=1e4):
        with np.errstate(all="ignore"):
            return rule(step, total, peak, warmup, div, final_div)

    return one_cycle


def _half(first, last, share):
    return last + (first - last) * (1 + np.cos(np.pi * share)) / 2


def _line(first, last, share):
    return first + (last - first) * share


def _cycle(
    up, down, top=lambda n, w: w * n - 1, between=_half, share=lambda t, n, top: (t - top) / (n - 1 - top)
):
    """Return an answer whose halves run `up(p, d, f)` and `down(p, d, f)`, both (first, last)."""

    def rule(t, n, p, w, d, f):
        place = top(n, w)
        return between(*up(p, d, f), t / place) if t < place else between(*down(p, d, f), share(t, n, place))

    return _with(rule)


def _up(p, d, f):
    return p / d, p


def _down(p, d, f):
    return p, p / d / f


_right = _cycle(_up, _down)


ONE_CYCLE = Exercise(
    name="one_cycle",
    lesson="04",
    minutes=6,
    difficulty="medium",
    reference=schedules.one_cycle,
    other=_other,
    cases=_cases,
    apply=_apply,
    mistakes=[
        Mistake("from 0", _cycle(lambda p, d, f: (0.0, p), _down), "Your rate rises from 0. The first one is `peak / div`."),
        Mistake("straight lines", _cycle(_up, _down, between=_line), "Your rate goes in straight lines. Both ways follow half a cosine: slow at the ends, fast in the middle."),
        Mistake("straight up", _with(lambda t, n, p, w, d, f: _line(p / d, p, t / (w * n - 1)) if t < w * n - 1 else _right(t, n, p, w, d, f)), "Down you are right, but up you go in a straight line. Both ways follow half a cosine."),
        Mistake("straight down", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, d, f) if t < w * n - 1 else _line(p, p / d / f, (t - w * n + 1) / (n - w * n))), "Up you are right, but down you go in a straight line. Both ways follow half a cosine."),
        Mistake("ends where it began", _cycle(_up, lambda p, d, f: (p, p / d)), "Your last rate is the first one, `peak / div`. It falls much lower: that divided by final_div."),
        Mistake("ends at a share of the peak", _cycle(_up, lambda p, d, f: (p, p / f)), "Your last rate is `peak / final_div`. It is the first rate divided by final_div: `peak / div / final_div`."),
        Mistake("ends at 0", _cycle(_up, lambda p, d, f: (p, 0.0)), "Your last rate is 0. It is `peak / div / final_div`, small but not 0."),
        Mistake("peak one step late", _cycle(_up, _down, top=lambda n, w: w * n, share=lambda t, n, top: (t - top) / (n - 1 - top)), "Your peak comes one step late. Steps count from 0: it is at `warmup * total - 1`."),
        Mistake("peak at a share of the last step", _cycle(_up, _down, top=lambda n, w: w * (n - 1)), "Your peak is at `warmup * (total - 1)`. Torch's, and ours, is at `warmup * total - 1`."),
        Mistake("peak at a whole step", _cycle(_up, _down, top=lambda n, w: int(w * n) - 1), "You rounded the step of the peak. Leave `warmup * total - 1` as it is, between two steps if need be."),
        Mistake("never comes down", _cycle(_up, lambda p, d, f: (p, p)), "Your rate stays at the peak. After the warm-up it falls to `peak / div / final_div`."),
        Mistake("no warm-up", _with(lambda t, n, p, w, d, f: _half(p, p / d / f, t / (n - 1))), "Your rate only falls. First it rises, from `peak / div` to peak, until step `warmup * total - 1`."),
        Mistake("falls over the whole training", _cycle(_up, _down, share=lambda t, n, top: t / (n - 1)), "On the way down you count from step 0, so the rate leaps. The share is `(step - top) / (total - 1 - top)`."),
        Mistake("never quite arrives", _cycle(_up, _down, share=lambda t, n, top: (t - top) / (n - top)), "Your last step does not reach the last rate. Steps count from 0: the last is `total - 1`."),
        Mistake("steps left out", _cycle(_up, _down, share=lambda t, n, top: (t - top) / (n - 1)), "You divide by all steps. The way down is `total - 1 - top` steps long."),
        Mistake("turned round", _cycle(lambda p, d, f: (p, p / d), lambda p, d, f: (p / d / f, p)), "Your rate falls first and rises then. With the cosine as given, share 0 gives `first` and share 1 gives `last`."),
        Mistake("up turned round", _cycle(lambda p, d, f: (p, p / d), _down), "On the way up your two ends changed places: from `peak / div` to peak."),
        Mistake("down turned round", _cycle(_up, lambda p, d, f: (p / d / f, p)), "On the way down your two ends changed places: from peak to `peak / div / final_div`."),
        Mistake("no pi", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * (1 + np.cos(s)) / 2), "Your cosine runs from 0 to 1, not to pi: `np.cos(np.pi * share)`."),
        Mistake("degrees", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * (1 + np.cos(180 * s)) / 2), "NumPy's cosine takes radians: half a turn is `np.pi`, not 180."),
        Mistake("whole cosine", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * (1 + np.cos(2 * np.pi * s)) / 2), "Your cosine comes back to where it began. Half of it is enough: `np.cos(np.pi * share)`."),
        Mistake("quarter cosine", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * np.cos(np.pi * s / 2)), "That is a quarter of a cosine, steepest at its end. Use half of one: `(1 + np.cos(np.pi * share)) / 2`."),
        Mistake("not halved", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * (1 + np.cos(np.pi * s))), "`1 + np.cos(...)` runs from 2 to 0. Halve it, so that it runs from 1 to 0."),
        Mistake("sine", _cycle(_up, _down, between=lambda a, b, s: b + (a - b) * (1 + np.sin(np.pi * s)) / 2), "That is a sine, which begins and ends in the middle. Use `np.cos`."),
        Mistake("lowest rate forgotten", _cycle(_up, _down, between=lambda a, b, s: (a - b) * (1 + np.cos(np.pi * s)) / 2), "Your curve ends at 0 and not at its last rate. Add `last` to it."),
        Mistake("steps from 1", _with(lambda t, n, p, w, d, f: _right(t + 1, n, p, w, d, f)), "Your cycle is one step ahead. Steps count from 0: the first rate is that of step 0."),
        Mistake("one step behind", _with(lambda t, n, p, w, d, f: _right(max(t - 1, 0), n, p, w, d, f)), "Your cycle is one step behind. Steps count from 0, and the last is `total - 1`."),
        Mistake("warm-up fixed", _with(lambda t, n, p, w, d, f: _right(t, n, p, 0.3, d, f)), "You warm up for 0.3 of the steps, whatever the caller asks for. Use the argument warmup."),
        Mistake("warm-up turned round", _with(lambda t, n, p, w, d, f: _right(t, n, p, 1 - w, d, f)), "You rise for `1 - warmup` of the steps. warmup is the share that rises."),
        Mistake("divisors fixed", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, 25, 1e4)), "You divide by 25 and 1e4, whatever the caller asks for. Use div and final_div."),
        Mistake("div fixed", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, 25, f)), "You divide by 25, whatever the caller asks for. Use div."),
        Mistake("final_div fixed", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, d, 1e4)), "You divide by 1e4 at the end, whatever the caller asks for. Use final_div."),
        Mistake("divisors exchanged", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, f, d)), "The divisors changed places: div makes the first rate, final_div the last."),
        Mistake("starts at the lowest rate", _cycle(lambda p, d, f: (p / d / f, p), _down), "You rise from the lowest rate. The first one is `peak / div`; only the last is divided by final_div, too."),
        Mistake("no peak", _with(lambda t, n, p, w, d, f: _right(t, n, 1.0, w, d, f)), "peak changes nothing in your answer. It is the highest rate, and the others are shares of it."),
        Mistake("share of the peak", _with(lambda t, n, p, w, d, f: _right(t, n, p, w, d, f) / p**2), "You divide by peak. The rate is proportional to it: multiply."),
        Mistake("multiplied", _cycle(lambda p, d, f: (p * d, p), lambda p, d, f: (p, p * d / f)), "You multiply by div, so your first rate is above the peak. Divide: `peak / div`."),
        Mistake("a list of all", _with(lambda t, n, p, w, d, f: [float(_right(i, n, p, w, d, f)) for i in range(n)]), "You return the rates of all steps. One number is asked for: that of `step`."),
    ],
    hints=[
        "Two halves: which one is it? The peak stands at `top = warmup * total - 1`.",
        "Each half has a first rate, a last rate, and a share of the way, 0 to 1. Up: from `peak / div` to peak, share `step / top`.",
        "Only the second half is longer to write:\n"
        "    else:\n"
        "        first, last = peak, peak / div / final_div\n"
        "        share = (step - top) / (total - 1 - top)\n"
        "    return float(last + (first - last) * (1 + np.cos(np.pi * share)) / 2)",
    ],
    note="In the middle of each half the rate is the mean of its two ends: half a cosine is symmetric.",
    equivalent={
        "return last + (first - last) * (1 + np.cos(np.pi * share)) / 2": "a number of NumPy is accepted as well",
        "if step <= top:": "at the peak itself both halves give the peak",
        "share = (top - step) / (total - 1 - top)": "a cosine is the same for minus the share",
        "share = (step - top) / (top - (total - 1))": "a cosine is the same for minus the share",
    },
)  # fmt: skip
