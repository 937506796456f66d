// Boxes drawn over a scene; which objects they cover, Python says.
const SIZE = 192, ZOOM = 2, FOOT = 30, MOST = 6, NEAR = 7, PARTS = ["x", "y", "w", "h"], FIRST = 64;
const box = (s, i) => PARTS.map((part) => s.state[`${part}_${i}`]);
const here = (s, i) => s.state[`w_${i}`] > 0 && s.state[`h_${i}`] > 0;
const all = [...Array(MOST)].map((_, i) => i + 1);
const keep = (v, low, high) => Math.round(Math.min(high, Math.max(low, v)));
const put = (i, values) => ({ active: i, ...Object.fromEntries(PARTS.map((part, k) => [`${part}_${i}`, values[k]])) });
const between = (i, a, b) => {
  const [x0, x1] = [a.x, b.x].map((v) => keep(v, 0, SIZE)), [y0, y1] = [a.y, b.y].map((v) => keep(v, 0, SIZE));
  return put(i, [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)]);
};
const moved = (i, [x, y, w, h]) => put(i, [keep(x, 0, SIZE - w), keep(y, 0, SIZE - h), w, h]);
const scaled = (p) => ({ x: p.x / ZOOM, y: p.y / ZOOM });
const pictures = new Map();  // the bytes -> a small canvas, made once
function scene(pixels) {
  if (!pictures.has(pixels)) {
    const image = new ImageData(SIZE, SIZE), bytes = atob(pixels);
    for (let i = 0; i < SIZE * SIZE; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = bytes.charCodeAt(3 * i + k);
      image.data[4 * i + 3] = 255;
    }
    const small = new OffscreenCanvas(SIZE, SIZE);
    small.getContext("2d").putImageData(image, 0, 0);
    pictures.set(pixels, small);
  }
  return pictures.get(pixels);
}
function outline(ctx, place, colour, wide) {
  for (const [ink, line] of [["#fff", wide + 2], [colour, wide]]) {
    ctx.strokeStyle = ink;
    ctx.lineWidth = line;
    ctx.strokeRect(...place);
  }
}
// The box whose edge or middle is under the pointer, the chosen one first: which, and what of it.
function hold(p, s) {
  for (const i of [s.state.active, ...all]) {
    if (!here(s, i)) continue;
    const [x, y, w, h] = box(s, i), near = NEAR / ZOOM;
    if (Math.abs(p.x - x - w / 2) < near && Math.abs(p.y - y - h / 2) < near) return { i, middle: true };
    if (p.x < x - near || p.x > x + w + near || p.y < y - near || p.y > y + h + near) continue;
    const left = Math.abs(p.x - x) < near, right = !left && Math.abs(p.x - x - w) < near;
    const top = Math.abs(p.y - y) < near, bottom = !top && Math.abs(p.y - y - h) < near;
    if (left || right || top || bottom) return { i, left, right, top, bottom };
  }
  return null;
}

return {
  size: () => [SIZE * ZOOM, SIZE * ZOOM + FOOT],
  draw(ctx, s) {
    const { truth, prediction, ink } = s.theme, side = SIZE * ZOOM;
    ctx.imageSmoothingEnabled = true;
    ctx.drawImage(scene(s.data.pixels), 0, 0, side, side);
    s.data.told.forEach((corners, k) => {
      if (!corners) return;
      const [x0, y0, x1, y1] = corners.map((v) => v * ZOOM), place = [x0, y0, x1 - x0, y1 - y0];
      ctx.fillStyle = `${truth}40`;
      if (s.data.covered[k]) ctx.fillRect(...place);
      outline(ctx, place, truth, 2);
    });
    for (const i of all) {
      if (!s.state[`w_${i}`] && !s.state[`h_${i}`]) continue;
      const place = box(s, i).map((v) => v * ZOOM), [x, y, w, h] = place;
      outline(ctx, place, prediction, 3);
      if (i !== s.state.active) continue;
      ctx.fillStyle = "#fff";
      ctx.strokeStyle = "#000";
      ctx.lineWidth = 1;
      for (const [a, b] of [[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]]) {
        ctx.fillRect(x + a * w - 4, y + b * h - 4, 8, 8);
        ctx.strokeRect(x + a * w - 4, y + b * h - 4, 8, 8);
      }
    }
    ctx.clearRect(0, side, side, FOOT); // a box may reach beyond the scene
    ctx.font = "13px system-ui, sans-serif";
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    for (const [left, colour, words] of [[0, prediction, "your box"], [110, truth, "true box, filled: covered"]]) {
      ctx.fillStyle = colour;
      ctx.fillRect(left, side + 9, 12, 12);
      ctx.fillStyle = ink;
      ctx.fillText(words, left + 18, side + 20);
    }
  },
  grab(at, s) {
    const p = scaled(at), held = hold(p, s);
    if (held) return { ...held, start: p, box: box(s, held.i) };
    const free = p.y <= SIZE ? all.find((i) => !here(s, i)) : undefined;
    return { i: free, start: p, fresh: true };
  },
  drag(from, to, s) {
    const g = s.grab, p = scaled(to);
    if (!g || !g.i) return null;
    if (g.fresh) return from === to ? null : between(g.i, g.start, p);
    const [x, y, w, h] = g.box, dx = p.x - g.start.x, dy = p.y - g.start.y;
    if (g.middle) return moved(g.i, [x + dx, y + dy, w, h]);
    const a = { x: g.left ? x + dx : x, y: g.top ? y + dy : y };
    const b = { x: g.right ? x + w + dx : x + w, y: g.bottom ? y + h + dy : y + h };
    return between(g.i, a, b);
  },
  key(key, shift, s) {
    const i = s.state.active, next = (i % MOST) + 1, middle = (SIZE - FIRST) / 2;
    const fresh = [middle, middle, FIRST, FIRST];
    if (key === " ") return here(s, i) ? (here(s, next) ? { active: next } : put(next, fresh)) : put(i, fresh);
    if (key === "Delete" || key === "Backspace") return put(i, [0, 0, 0, 0]);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!step) return null;
    if (!here(s, i)) return put(i, fresh);
    const [x, y, w, h] = box(s, i), [dx, dy] = step.map((v) => 4 * v);
    if (!shift) return moved(i, [x + dx, y + dy, w, h]);
    return put(i, [x, y, keep(w + dx, 4, Math.max(4, SIZE - x)), keep(h + dy, 4, Math.max(4, SIZE - y))]);
  },
};
