"""The curve of lesson 08a that grows while a student learns: what its teacher says, and whether it tells pictures apart."""

import math

from cvlab.widgets.live import LiveCurve

__all__ = ["LiveAnswers"]


class LiveAnswers(LiveCurve):
    """Entropy of the teacher's answer, and what the answers tell, as shares of ln K, while a student learns.

    Args:
        steps: how many there will be.
        title: what is trained.
        answers: K, how many the head has.

    Example:
        >>> curve = LiveAnswers(3, "all on", answers=64)
        >>> curve([{"entropy": 2.1, "told": 1.0}])
        >>> curve
        all on: step 1 of 3, entropy 2.10, told 1.00
    """

    unit = "step"

    def __init__(self, steps: int, title: str, answers: int):
        self.most = math.log(answers)
        super().__init__(steps, title)

    def lines(self):
        sure = [step["entropy"] / self.most for step in self.history]
        told = [step["told"] / self.most for step in self.history]
        return [(sure, "vermillion", "entropy"), (told, "blue", "told")]

    def words(self) -> str:
        last = self.history[-1]
        return f"entropy {last['entropy']:.2f}, told {last['told']:.2f}"
