"""How long a move takes in Python: every widget, beside the same demo as `interact` with a new figure.

    python bench/widgets.py [--moves 60] [--cpu]

Both sides compute the same values and draw the same picture from them, in the same run, on one core, for the
same moves in the same order, turn by turn. The widget replaces the bytes of one picture; the other makes a new
matplotlib figure a move, titles it with the readout, and encodes it as the notebook would (PNG at 100 dpi).
On a machine that does other work too, `--cpu` counts this process's own time only.
"""

import argparse
import contextlib
import io
import os
import platform
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import ipywidgets  # noqa: E402
import matplotlib as mpl  # noqa: E402
import numpy as np  # noqa: E402

import cvlab.widgets  # noqa: E402
from cvlab.widgets._engine.controls import allowed  # noqa: E402
from cvlab.widgets._engine.picture import DENSE  # noqa: E402

mpl.use("agg")
BUDGET = 50  # ms of Python a move at the 95th percentile


def moves(widget, count: int, rng) -> list[tuple[str, object]]:
    """Draw moves, each of one control to one of its values, all equally likely."""
    names = list(widget._controls)
    return [(name, one_value(widget._controls[name], rng)) for name in rng.choice(names, count)]


def one_value(control, rng):
    """Draw a value that a control allows."""
    if (options := allowed(control)) is not None:
        return options[rng.integers(len(options))]
    if isinstance(control.value, bool):
        return bool(rng.integers(2))
    if isinstance(control.value, tuple):
        return tuple(sorted(rng.integers(control.min, control.max, 2, endpoint=True).tolist()))
    if isinstance(control.value, int):
        return int(rng.integers(control.min, control.max, endpoint=True))
    return float(rng.uniform(control.min, control.max))


def as_interact(widget):
    """Build the demo as a beginner writes it, `interact` and a new figure, with controls of its own."""
    import matplotlib.pyplot as plt

    def show(**state):
        values = widget.compute(**state)
        picture = widget.draw(values)
        size = [side / DENSE / 100 for side in picture.shape[1::-1]]  # as large as the widget's on the page
        figure, axes = plt.subplots(figsize=size)
        axes.imshow(picture)
        axes.set_title(widget.text(values), fontsize=7)
        axes.axis("off")
        figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
        plt.close(figure)

    controls = widget.controls()
    for name, control in controls.items():
        control.value = widget.state[name]
    with contextlib.redirect_stdout(io.StringIO()):  # it clears its output by printing
        ipywidgets.interactive_output(show, controls)
    return controls


def measure(name: str, count: int, clock) -> tuple[np.ndarray, np.ndarray]:
    """Time `count` moves of a widget and of its other self, in milliseconds."""
    widget = getattr(cvlab.widgets, name)()
    widget.strict = True
    mine, other = widget._controls, as_interact(widget)
    rng = np.random.default_rng(0)
    for control in mine.values():  # libraries are imported here, not in the measured moves
        for value in allowed(control) or [control.value]:
            control.value = value
    times = []
    for key, value in moves(widget, count, rng):
        turn = []
        for controls in (mine, other):
            if controls[key].value == value:
                break  # no move
            start = clock()
            with contextlib.redirect_stdout(io.StringIO()):
                controls[key].value = value
            turn.append(1000 * (clock() - start))
        if len(turn) == 2:
            times.append(turn)
    return tuple(np.array(times).T)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--cpu", action="store_true", help="processor time, not the clock on the wall")
    options = parser.parse_args()
    count, clock = options.moves, time.process_time if options.cpu else time.perf_counter
    versions = f"ipywidgets {ipywidgets.__version__}, matplotlib {mpl.__version__}, numpy {np.__version__}"
    print(
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, {versions}; one core, seed 0"
    )
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{'processor' if options.cpu else 'wall'} time{load}")
    print(f"{'ms a move':18}{'n':>5}{'p50':>8}{'p95':>8}   {'interact p50':>12}{'p95':>8}{'ratio p50':>11}")
    for name in sorted(cvlab.widgets.__all__):
        mine, other = measure(name, count, clock)
        (a50, a95), (b50, b95) = np.percentile(mine, [50, 95]), np.percentile(other, [50, 95])
        note = "" if a95 < BUDGET else f"  over {BUDGET} ms"
        print(
            f"{name:18}{len(mine):>5}{a50:>8.1f}{a95:>8.1f}   {b50:>12.1f}{b95:>8.1f}{b50 / a50:>10.1f}x{note}"
        )


if __name__ == "__main__":
    main()
