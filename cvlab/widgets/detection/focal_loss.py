"""Lesson 06b: which answers of a real batch carry the loss, as gamma and alpha say."""

import functools

import ipywidgets
import numpy as np

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.chart import Axis, Line, chart
from cvlab.widgets._engine.picture import board

__all__ = ["FocalLoss"]

WAY, STEP = "weighted cross-entropy, alpha 0.75", 250  # the net whose batch is shown
EASY = -2.15  # a negative's logit under it: nothing is there, said with 0.9 and more
LOW, HIGH = -8, 2  # of the axis
SIZE = (300, 326)  # CSS pixels of a chart: height, width


class FocalLoss(Widget):
    """Turn gamma and alpha; see which of a batch's answers carry the loss.

    The batch is real: sixteen scenes, 1,296 anchors each, 17 classes an anchor, by a head that was trained with cross-entropy.

    Example:
        >>> FocalLoss().readout.splitlines()[0]
        'gamma: 0.0, alpha: 0.50'
    """

    alt = "How many answers of a batch have each logit, and which of them carry the loss, negatives and positives apart"
    default_task = "Make the easy negatives carry less than 10 % of the loss."
    learnt = (
        "Gamma silences what is easy, on both sides; alpha only shifts weight from one side to the other."
    )
    answer = {"gamma": 20, "alpha": 50}

    def controls(self):
        return {
            "gamma": ipywidgets.IntSlider(0, 0, 50, description="gamma, in tenths"),
            "alpha": ipywidgets.IntSlider(50, 10, 90, step=5, description="alpha, in %"),
        }

    def compute(self, gamma, alpha):
        logits, negatives, positives = _batch()
        gamma, alpha = gamma / 10, alpha / 100
        by_negatives = (1 - alpha) * negatives * _focal(-logits, gamma)
        by_positives = alpha * positives * _focal(logits, gamma)
        easy = logits < EASY
        total = by_negatives.sum() + by_positives.sum()
        return {
            "gamma": gamma,
            "alpha": alpha,
            "by_negatives": by_negatives,
            "by_positives": by_positives,
            "easy": float(by_negatives[easy].sum() / total),
            "hard": float(by_negatives[~easy].sum() / total),
            "positive": float(by_positives.sum() / total),
            "answers": int(negatives.sum() + positives.sum()),
            "share_easy": float(negatives[easy].sum() / (negatives.sum() + positives.sum())),
        }

    def draw(self, values):
        look, (logits, negatives, positives) = self.palette, _batch()
        shown = (logits >= LOW) & (logits <= HIGH)
        axis = Axis("logit of the answer", LOW, HIGH, 2)

        def line(heights, most, colour, name):
            return Line(logits[shown], heights[shown] / most, colour, 2, name)

        counts = chart(
            [
                line(negatives, negatives.max(), look.error, "negatives"),
                line(positives, positives.max(), look.truth, "positives"),
            ],
            x=axis,
            y_label="how many, of the most",
            size=SIZE,
            room=84,
            look=look,
        )
        most = max(values["by_negatives"].max(), values["by_positives"].max())
        carried = chart(
            [
                line(values["by_negatives"], most, look.error, "negatives"),
                line(values["by_positives"], most, look.truth, "positives"),
            ],
            x=axis,
            y_label="part of the loss, of the most",
            size=SIZE,
            room=84,
            look=look,
        )
        return board([[("the answers", counts), ("what they carry", carried)]], look)

    def text(self, values):
        return (
            f"gamma: {values['gamma']:.1f}, alpha: {values['alpha']:.2f}\n"
            f"answers of the batch: {values['answers']:,}\n"
            f"easy negatives among them: {100 * values['share_easy']:.1f} %\n"
            f"the easy negatives' loss: {100 * values['easy']:.1f} %\n"
            f"the other negatives' loss: {100 * values['hard']:.1f} %\n"
            f"the positives' loss: {100 * values['positive']:.1f} %"
        )

    def goal(self, values):
        return values["easy"] < 0.1


def _focal(logits: np.ndarray, gamma: float) -> np.ndarray:
    """Return the loss of each logit of the truth, unweighted."""
    surprise = np.logaddexp(0, -logits)  # -log p
    return (1 - np.exp(-surprise)) ** gamma * surprise


@functools.cache
def _batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits and how many negatives and positives had each."""
    from cvlab.detection.pieces import batch_logits

    return tuple(part.numpy().astype(float) for part in batch_logits(WAY, STEP))
