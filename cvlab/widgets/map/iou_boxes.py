"""Lesson 07: two boxes on a photo, dragged and resized; the overlap, the union, and one number."""

import base64
from typing import ClassVar

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from cvlab import boxes
from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.picture import as_photo, font
from cvlab.widgets._engine.pointer import PointerWidget

__all__ = ["IouBoxes"]

TRUTH, BOX, SHARED = (86, 180, 233), (230, 159, 0), (0, 158, 115)
PARTS = ("x", "y", "w", "h")

SCENE = """{
  photos: {},
  size: (s) => [s.data.width, s.data.height],
  box: (s, name) => ["x", "y", "w", "h"].map((part) => s.state[`${name}_${part}`]),
  values(s) {
    const [a, b] = [this.box(s, "truth"), this.box(s, "box")];
    const w = Math.max(0, Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]));
    const h = Math.max(0, Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]));
    const overlap = w * h, union = a[2] * a[3] + b[2] * b[3] - overlap;
    return { overlap, union, iou: union > 0 ? overlap / union : 0, w, h };
  },
  photo(ctx, s) {
    this.latest = { ctx, s };
    let image = this.photos[s.data.photo];
    if (!image) {
      image = this.photos[s.data.photo] = new Image();
      image.onload = () => this.draw(this.latest.ctx, this.latest.s);
      image.src = s.data.photo;
    }
    if (image.complete) ctx.drawImage(image, 0, 0, s.width, s.height);
  },
  draw(ctx, s) {
    ctx.fillStyle = "#22262b"; ctx.fillRect(0, 0, s.width, s.height);
    this.photo(ctx, s);
    const [a, b] = [this.box(s, "truth"), this.box(s, "box")], v = this.values(s);
    ctx.fillStyle = "rgba(86,180,233,0.28)"; ctx.fillRect(...a);
    ctx.fillStyle = "rgba(230,159,0,0.28)"; ctx.fillRect(...b);
    ctx.fillStyle = "rgba(0,158,115,0.62)";
    if (v.overlap > 0) ctx.fillRect(Math.max(a[0], b[0]), Math.max(a[1], b[1]), v.w, v.h);
    for (const [name, box, colour, word] of [["truth", a, "#56b4e9", "truth"], ["box", b, "#e69f00", "detection"]]) {
      ctx.strokeStyle = "#000"; ctx.lineWidth = 4; ctx.strokeRect(...box);
      ctx.strokeStyle = colour; ctx.lineWidth = 2; ctx.strokeRect(...box);
      if (s.state.active === word) {
        ctx.fillStyle = "#fff"; ctx.strokeStyle = "#000"; ctx.lineWidth = 1;
        for (const [i, j] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
          const corner = [box[0] + i * box[2] - 4, box[1] + j * box[3] - 4, 8, 8];
          ctx.fillRect(...corner); ctx.strokeRect(...corner);
        }
      }
      const y = Math.max(18, box[1]);
      ctx.fillStyle = colour; ctx.fillRect(box[0], y - 18, ctx.measureText(word).width + 8, 18);
      ctx.fillStyle = "#000"; ctx.fillText(word, box[0] + 4, y - 5);
    }
    const text = `IoU ${v.iou.toFixed(3)}`;
    ctx.font = "bold 20px system-ui, sans-serif";
    const wide = ctx.measureText(text).width + 16;
    ctx.fillStyle = "rgba(0,0,0,0.75)"; ctx.fillRect(s.width - wide, s.height - 32, wide, 32);
    ctx.fillStyle = "#fff"; ctx.fillText(text, s.width - wide + 8, s.height - 10);
    ctx.font = "13px system-ui, sans-serif";
    ctx.canvas.dataset.iou = v.iou.toFixed(6);
  },
  grab(at, s) {
    const names = s.state.active === "truth" ? ["truth", "box"] : ["box", "truth"];
    for (const name of names) {
      const [x, y, w, h] = this.box(s, name), near = 9;
      if (at.x < x - near || at.x > x + w + near || at.y < y - near || at.y > y + h + near) continue;
      const edges = {
        left: Math.abs(at.x - x) < near, right: Math.abs(at.x - x - w) < near,
        top: Math.abs(at.y - y) < near, bottom: Math.abs(at.y - y - h) < near,
      };
      if (edges.left && edges.right) edges.left = false;
      if (edges.top && edges.bottom) edges.top = false;
      return { name, edges, start: at, box: [x, y, w, h] };
    }
    return { name: null };
  },
  moved(name, [x, y, w, h], s, sizing) {
    const [W, H] = [s.data.width, s.data.height], keep = (v, low, high) => Math.round(Math.min(high, Math.max(low, v)));
    if (!sizing) { w = keep(w, 0, W); h = keep(h, 0, H); x = keep(x, 0, W - w); y = keep(y, 0, H - h); }
    else { x = keep(x, 0, W); y = keep(y, 0, H); w = keep(w, 0, W - x); h = keep(h, 0, H - y); }
    const out = { active: name === "truth" ? "truth" : "detection" };
    return Object.assign(out, { [`${name}_x`]: x, [`${name}_y`]: y, [`${name}_w`]: w, [`${name}_h`]: h });
  },
  drag(from, to, s) {
    const g = s.grab;
    if (!g || !g.name) return null;
    const [x, y, w, h] = g.box, dx = to.x - g.start.x, dy = to.y - g.start.y, e = g.edges;
    if (!(e.left || e.right || e.top || e.bottom)) return this.moved(g.name, [x + dx, y + dy, w, h], s, false);
    const left = Math.max(0, e.left ? Math.min(x + dx, x + w) : x), top = Math.max(0, e.top ? Math.min(y + dy, y + h) : y);
    const right = e.right ? Math.max(x + w + dx, x) : x + w, bottom = e.bottom ? Math.max(y + h + dy, y) : y + h;
    return this.moved(g.name, [left, top, right - left, bottom - top], s, true);
  },
  key(key, shift, s) {
    if (key === " ") return { active: s.state.active === "truth" ? "detection" : "truth" };
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!step) return null;
    const name = s.state.active === "truth" ? "truth" : "box", [x, y, w, h] = this.box(s, name);
    const [dx, dy] = step.map((v) => 5 * v);
    return shift ? this.moved(name, [x, y, w + dx, h + dy], s, true) : this.moved(name, [x + dx, y + dy, w, h], s, false);
  },
}"""


class IouBoxes(PointerWidget):
    """Drag two boxes on a photo, or pull their edges; arrow keys move, with Shift they resize, Space changes the box.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array; shrunk to 480 pixels.

    Example:
        >>> IouBoxes().readout.splitlines()[:3]
        ['IoU: 0.399', 'overlap: 134 × 183 = 24522 px²', 'union: 44226 + 41808 − 24522 = 61512 px²']
    """

    format = "jpeg"
    alt = "A photo with two boxes, the truth and a detection; their overlap is shaded"
    default_task = "Make the IoU at least 0.75. (COCO's mAP asks for up to 0.95.)"
    answer: ClassVar = {"box_x": 137, "box_y": 13, "box_w": 189, "box_h": 234}
    scene = SCENE

    def __init__(self, image="coffee", **options):
        self.image = as_photo(image, longest=480)
        self._url = f"data:image/jpeg;base64,{base64.b64encode(encode(self.image, 'jpeg', 85)).decode()}"
        super().__init__(**options)

    def controls(self):
        height, width = self.image.shape[:2]
        shares = {"truth": (0.286, 0.041, 0.394, 0.732), "box": (0.4, 0.2, 0.42, 0.65)}
        controls = {
            "active": ipywidgets.Dropdown(
                options=["detection", "truth"], value="detection", description="arrow keys move"
            )
        }
        for name, share in shares.items():
            for part, value, side in zip(PARTS, share, (width, height) * 2, strict=True):
                slider = ipywidgets.IntSlider(int(value * side), 0, side, description=f"{name} {part}")
                slider.layout.display = "none"  # moved on the canvas
                controls[f"{name}_{part}"] = slider
        return controls

    def data(self, values):
        height, width = self.image.shape[:2]
        return {"photo": self._url, "width": width, "height": height}

    def compute(self, active, **numbers):
        truth, box = ([numbers[f"{name}_{part}"] for part in PARTS] for name in ("truth", "box"))
        corners = [(x, y, x + w, y + h) for x, y, w, h in (truth, box)]
        width = max(0, min(corners[0][2], corners[1][2]) - max(corners[0][0], corners[1][0]))
        height = max(0, min(corners[0][3], corners[1][3]) - max(corners[0][1], corners[1][1]))
        return {
            "active": active,
            "corners": corners,
            "areas": (truth[2] * truth[3], box[2] * box[3]),
            "sides": (width, height),
            "overlap": width * height,
            "iou": boxes.iou(*corners),
        }

    def draw(self, values):
        picture = Image.fromarray(self.image).convert("RGBA")
        shade = Image.new("RGBA", picture.size)
        pen = ImageDraw.Draw(shade)
        (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = values["corners"]
        for corners, colour in zip(values["corners"], (TRUTH, BOX), strict=True):
            layer = Image.new("RGBA", picture.size)
            ImageDraw.Draw(layer).rectangle(corners, fill=(*colour, 72))
            shade.alpha_composite(layer)
        if values["overlap"]:
            pen.rectangle((max(ax0, bx0), max(ay0, by0), min(ax1, bx1), min(ay1, by1)), fill=(*SHARED, 158))
        for corners, colour, word in zip(
            values["corners"], (TRUTH, BOX), ("truth", "detection"), strict=True
        ):
            pen.rectangle(corners, outline=(*colour, 255), width=3 if word == values["active"] else 2)
            at = (corners[0] + 4, max(corners[1], 18) - 3)
            frame = pen.textbbox(at, word, font=font(12), anchor="lb")
            pen.rectangle((frame[0] - 4, frame[1] - 2, frame[2] + 4, frame[3] + 3), fill=(*colour, 255))
            pen.text(at, word, font=font(12), fill=(0, 0, 0, 255), anchor="lb")
        return np.asarray(Image.alpha_composite(picture, shade).convert("RGB"))

    def text(self, values):
        a, b = values["areas"]
        overlap, (width, height) = values["overlap"], values["sides"]
        rounded = [list(corners) for corners in values["corners"]]
        return (
            f"IoU: {values['iou']:.3f}\n"
            f"overlap: {width} × {height} = {overlap} px²\n"
            f"union: {a} + {b} − {overlap} = {a + b - overlap} px²\n"
            f"truth: x0, y0, x1, y1 = {rounded[0]}\n"
            f"detection: x0, y0, x1, y1 = {rounded[1]}\n"
            f"right at IoU 0.5: {'yes' if values['iou'] >= 0.5 else 'no'}\n"
            f"Drag a box or its edges. Arrow keys move the {values['active']}, with Shift they resize it; Space changes the box."
        )

    def goal(self, values):
        return values["iou"] >= 0.75
