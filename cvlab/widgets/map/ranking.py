"""Lesson 07: ten detections, right and wrong; move their scores and watch the average precision."""

from typing import ClassVar

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab.map import metrics
from cvlab.widgets._engine.chart import GREEN, ORANGE, SKY, Axis, Line, chart
from cvlab.widgets._engine.picture import BOARD, INK, board, font
from cvlab.widgets._engine.pointer import PointerWidget

__all__ = ["RankingGame"]

RIGHT = (True, True, False, False, False, True, True, False, False, True)  # the lesson's table, IoU from 0.5
FIRST = (95, 88, 80, 72, 63, 55, 46, 37, 28, 18)

SCENE = """{
  pad: { left: 24, right: 24, row: 26, top: 30 },
  size: () => [720, 320],
  scores: (s) => s.data.right.map((_, i) => s.state[`score_${i + 1}`]),
  x(score) { return this.pad.left + score / 100 * (460 - this.pad.left - this.pad.right); },
  y(i) { return this.pad.top + i * this.pad.row; },
  ap(s) {
    const scores = this.scores(s), order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
    let tp = 0;
    const n = s.data.truths, precision = [], recall = [];
    order.forEach((d, i) => { tp += s.data.right[d]; precision.push(tp / (i + 1)); recall.push(tp / n); });
    for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1]);
    let sum = 0;
    for (let level = 0; level <= 100; level++) {
      const at = recall.findIndex((r) => r >= level / 100 - 1e-12);
      sum += at < 0 ? 0 : precision[at];
    }
    return { ap: sum / 101, order, precision, recall };
  },
  draw(ctx, s) {
    const { ap, order, precision, recall } = this.ap(s), rank = [];
    order.forEach((d, place) => { rank[d] = place + 1; });
    ctx.clearRect(0, 0, s.width, s.height);
    ctx.strokeStyle = s.theme.line; ctx.fillStyle = s.theme.dim; ctx.lineWidth = 1;
    for (let v = 0; v <= 100; v += 20) {
      ctx.globalAlpha = 0.4; ctx.beginPath(); ctx.moveTo(this.x(v), 16); ctx.lineTo(this.x(v), 288); ctx.stroke();
      ctx.globalAlpha = 1; ctx.textAlign = "center"; ctx.fillText(`${v} %`, this.x(v), 304);
    }
    ctx.textAlign = "start";
    this.scores(s).forEach((score, i) => {
      const [x, y, good] = [this.x(score), this.y(i), s.data.right[i]];
      ctx.strokeStyle = s.theme.line; ctx.beginPath(); ctx.moveTo(this.x(0), y); ctx.lineTo(this.x(100), y); ctx.stroke();
      ctx.fillStyle = good ? "#009e73" : "#d55e00";
      ctx.beginPath();
      if (good) ctx.arc(x, y, 11, 0, 7); else ctx.rect(x - 10, y - 10, 20, 20);
      ctx.fill();
      if (s.state.selected === i + 1) { ctx.strokeStyle = s.theme.ink; ctx.lineWidth = 3; ctx.stroke(); ctx.lineWidth = 1; }
      ctx.fillStyle = "#fff"; ctx.textAlign = "center"; ctx.fillText(rank[i], x, y + 5); ctx.textAlign = "start";
    });
    ctx.fillStyle = s.theme.ink; ctx.font = "bold 15px system-ui, sans-serif";
    ctx.fillText(`AP ${ap.toFixed(3)}`, 2, 14); ctx.font = "13px system-ui, sans-serif";
    ctx.fillText("● right   ■ wrong   the number is its place", 100, 14);
    ctx.canvas.dataset.ap = ap.toFixed(6);
    this.curve(ctx, s, precision, recall);
  },
  curve(ctx, s, precision, recall) {
    const at = (r, p) => [510 + 195 * r, 288 - 262 * p];
    ctx.strokeStyle = s.theme.line; ctx.fillStyle = s.theme.dim; ctx.textAlign = "center";
    for (let v = 0; v <= 10; v += 2) {
      ctx.globalAlpha = 0.4; ctx.beginPath();
      ctx.moveTo(...at(v / 10, 0)); ctx.lineTo(...at(v / 10, 1)); ctx.moveTo(...at(0, v / 10)); ctx.lineTo(...at(1, v / 10));
      ctx.stroke(); ctx.globalAlpha = 1;
      ctx.fillText((v / 10).toFixed(1), at(v / 10, 0)[0], 304); ctx.fillText((v / 10).toFixed(1), 494, at(0, v / 10)[1] + 4);
    }
    ctx.fillText("recall", 608, 319);
    ctx.save(); ctx.translate(476, 160); ctx.rotate(-Math.PI / 2); ctx.fillText("precision", 0, 0); ctx.restore();
    ctx.textAlign = "start"; ctx.beginPath(); ctx.moveTo(...at(0, precision[0]));
    let before = 0;
    precision.forEach((p, i) => { ctx.lineTo(...at(before, p)); ctx.lineTo(...at(recall[i], p)); before = recall[i]; });
    ctx.strokeStyle = "#009e73"; ctx.lineWidth = 3; ctx.stroke();
    ctx.lineTo(...at(before, 0)); ctx.lineTo(...at(0, 0)); ctx.globalAlpha = 0.15; ctx.fillStyle = "#009e73"; ctx.fill();
    ctx.globalAlpha = 1; ctx.lineWidth = 1;
  },
  grab(at, s) {
    let best = 0;
    s.data.right.forEach((_, i) => { if (Math.abs(this.y(i) - at.y) < Math.abs(this.y(best) - at.y)) best = i; });
    return best;
  },
  drag(from, to, s) {
    const score = Math.round((to.x - this.pad.left) / (460 - this.pad.left - this.pad.right) * 100);
    return { selected: s.grab + 1, [`score_${s.grab + 1}`]: Math.min(100, Math.max(0, score)) };
  },
  key(key, shift, s) {
    const at = s.state.selected, name = `score_${at}`, step = shift ? 10 : 2;
    const score = (v) => ({ [name]: Math.min(100, Math.max(0, v)) });
    if (key === "ArrowUp") return { selected: Math.max(1, at - 1) };
    if (key === "ArrowDown") return { selected: Math.min(s.data.right.length, at + 1) };
    if (key === "ArrowLeft") return score(s.state[name] - step);
    if (key === "ArrowRight") return score(s.state[name] + step);
    return null;
  },
}"""


class RankingGame(PointerWidget):
    """Slide ten detections along the scores; only their order changes the average precision.

    Arrow up and down choose a detection, left and right change its score, with Shift in large steps.

    Example:
        >>> RankingGame().readout.splitlines()[:2]
        ['AP (COCO): 0.731', 'order: ✓ ✓ ✗ ✗ ✗ ✓ ✓ ✗ ✗ ✓']
    """

    alt = "Ten detections on a scale of scores, right ones round, wrong ones square, and their precision-recall curve"
    default_task = "Raise the AP to 0.8 or more by moving one single detection."
    answer: ClassVar = {"score_10": 100}
    scene = SCENE

    def controls(self):
        controls = {
            "selected": ipywidgets.IntSlider(1, 1, len(RIGHT), description="detection"),
        }
        for i, score in enumerate(FIRST, start=1):
            slider = ipywidgets.IntSlider(score, 0, 100, description=f"score {i}")
            slider.layout.display = "none"  # moved on the canvas
            controls[f"score_{i}"] = slider
        return controls

    def data(self, values):
        return {"right": list(RIGHT), "truths": sum(RIGHT)}

    def compute(self, selected, **scores):
        numbers = np.array([scores[f"score_{i}"] for i in range(1, len(RIGHT) + 1)], dtype=float)
        precision, recall = metrics.pr_curve(numbers, np.array(RIGHT), sum(RIGHT))
        return {
            "selected": selected,
            "scores": numbers.astype(int),
            "order": np.argsort(-numbers, kind="stable"),
            "precision": precision,
            "recall": recall,
            "ap": metrics.average_precision(precision, recall),
            "moved": int((numbers != FIRST).sum()),
        }

    def draw(self, values):
        picture = Image.new("RGB", (400, 300), BOARD)
        pen = ImageDraw.Draw(picture)
        places = np.argsort(values["order"]) + 1
        for i, (score, good) in enumerate(zip(values["scores"], RIGHT, strict=True)):
            x, y = 20 + 3.6 * score, 18 + 28 * i
            pen.line((20, y, 380, y), fill=(70, 76, 84))
            shape = pen.ellipse if good else pen.rectangle
            chosen = {"outline": (255, 255, 255), "width": 3} if values["selected"] == i + 1 else {}
            shape((x - 11, y - 11, x + 11, y + 11), fill=GREEN if good else ORANGE, **chosen)
            pen.text((x, y), str(places[i]), font=font(12), fill=(0, 0, 0), anchor="mm")
        pen.text((20, 290), "score 0 %", font=font(11), fill=INK, anchor="lm")
        pen.text((380, 290), "100 %", font=font(11), fill=INK, anchor="rm")
        envelope = np.maximum.accumulate(values["precision"][::-1])[::-1]
        lines = [
            Line(np.repeat([0, *values["recall"]], 2)[1:-1], np.repeat(envelope, 2), GREEN, 3),
            Line([0, *values["recall"]], [1, *values["precision"]], SKY, 1),
        ]
        curve = chart(lines, x=Axis("recall"), y_label="precision", size=(300, 300))
        return board(
            [
                [
                    ("● right, ■ wrong; the number is the place", np.asarray(picture)),
                    (f"AP {values['ap']:.3f}", curve),
                ]
            ]
        )

    def text(self, values):
        marks = " ".join("✓" if RIGHT[d] else "✗" for d in values["order"])
        i = values["selected"]
        return (
            f"AP (COCO): {values['ap']:.3f}\n"
            f"order: {marks}\n"
            f"detection {i}: {'right' if RIGHT[i - 1] else 'wrong'}, score {values['scores'][i - 1]} %\n"
            f"moved: {values['moved']} of {len(RIGHT)}\n"
            "Drag a dot sideways. Up and down choose one, left and right move it."
        )

    def goal(self, values):
        return values["ap"] >= 0.8 and values["moved"] == 1
