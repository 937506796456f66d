// A box over a scene: the cells that RoI pool reads, the places where RoI align samples, and both answers.
const SIDE = 192, STRIDE = 16, ZOOM = 2, GRID = 132, TOP = 22, RIGHT = SIDE * ZOOM + 20, N = SIDE / STRIDE, LEAST = 8;
const photos = {};
const clip = (v, low, high) => Math.min(high, Math.max(low, v));
const corners = ({ x, y, w, h }) => [x, y, Math.min(x + w, SIDE), Math.min(y + h, SIDE)];
const nearest = (v) => Math.floor((2 * v + STRIDE) / (2 * STRIDE));
function photo(ctx, s) {
  let image = photos[s.data.photo];
  if (!image) {
    image = photos[s.data.photo] = new Image();
    image.src = s.data.photo;
  }
  if (image.complete) ctx.drawImage(image, 0, 0, SIDE * ZOOM, SIDE * ZOOM);
  else image.addEventListener("load", s.repaint, { once: true });
}
function pooled(s) {
  const [x0, y0, x1, y1] = corners(s.state).map(nearest), n = s.state.size, w = x1 - x0 + 1, h = y1 - y0 + 1;
  return [...Array(n).keys()].map((i) => [...Array(n).keys()].map((j) => {
    const rows = s.data.map.slice(y0 + Math.floor((i * h) / n), y0 + Math.ceil(((i + 1) * h) / n));
    const part = rows.flatMap((row) => row.slice(x0 + Math.floor((j * w) / n), x0 + Math.ceil(((j + 1) * w) / n)));
    return part.length ? Math.max(...part) : 0;
  }));
}
function at(map, y, x) {
  [y, x] = [clip(y, 0, N - 1), clip(x, 0, N - 1)];
  const top = Math.floor(y), left = Math.floor(x), v = y - top, u = x - left;
  const below = Math.min(top + 1, N - 1), right = Math.min(left + 1, N - 1);
  return (1 - v) * ((1 - u) * map[top][left] + u * map[top][right]) + v * ((1 - u) * map[below][left] + u * map[below][right]);
}
function aligned(s) {
  const [x0, y0, x1, y1] = corners(s.state).map((v) => v / STRIDE - 0.5), n = s.state.size;
  const place = (start, end, k) => start + ((end - start) * (k + 0.5)) / (2 * n);
  return [...Array(n).keys()].map((i) => [...Array(n).keys()].map((j) => {
    let sum = 0;
    for (const a of [0, 1]) for (const b of [0, 1]) sum += at(s.data.map, place(y0, y1, 2 * i + a), place(x0, x1, 2 * j + b));
    return Math.floor(sum / 4 + 0.5);
  }));
}
function outlined(ctx, [x0, y0, x1, y1], colour, wide) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = wide;
  ctx.strokeRect(x0 * ZOOM, y0 * ZOOM, (x1 - x0) * ZOOM, (y1 - y0) * ZOOM);
}
function words(ctx, s, text, x, y) {
  ctx.font = "13px system-ui, sans-serif";
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = s.theme.ink;
  ctx.fillText(text, x, y);
}

return {
  size: () => [RIGHT + GRID, SIDE * ZOOM],
  draw(ctx, s) {
    const box = corners(s.state), [x0, y0, x1, y1] = box, n = 2 * s.state.size;
    const read = box.map(nearest).map((v, k) => Math.min(SIDE, (v + (k > 1)) * STRIDE));
    photo(ctx, s);
    ctx.strokeStyle = "#ffffff70";
    ctx.lineWidth = 1;
    for (let k = 0; k <= SIDE * ZOOM; k += STRIDE * ZOOM) {
      ctx.strokeRect(k, 0, 0, SIDE * ZOOM);
      ctx.strokeRect(0, k, SIDE * ZOOM, 0);
    }
    ctx.fillStyle = `${s.theme.prediction}48`;
    ctx.fillRect(read[0] * ZOOM, read[1] * ZOOM, (read[2] - read[0]) * ZOOM, (read[3] - read[1]) * ZOOM);
    outlined(ctx, read, s.theme.prediction, 3);
    outlined(ctx, box, "#fff", 5);
    outlined(ctx, box, s.theme.truth, 3);
    ctx.strokeStyle = "#000";
    ctx.lineWidth = 1;
    ctx.fillStyle = s.theme.here;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      ctx.beginPath();
      ctx.arc((x0 + ((x1 - x0) * (j + 0.5)) / n) * ZOOM, (y0 + ((y1 - y0) * (i + 0.5)) / n) * ZOOM, 4, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    [["RoI pool", pooled(s)], ["RoI align", aligned(s)]].forEach(([name, grid], k) => {
      const top = TOP + k * (GRID + 40);
      words(ctx, s, name, RIGHT, top - 8);
      cells(ctx, s, grid, RIGHT, top, GRID / s.state.size, (v) => grey(v, 100));
    });
  },
  grab(at, s) {
    const [x0, y0, x1, y1] = corners(s.state), px = at.x / ZOOM, py = at.y / ZOOM, near = 5;
    if (px < x0 - near || px > x1 + near || py < y0 - near || py > y1 + near) return { box: null };
    const edges = {
      left: Math.abs(px - x0) < near, right: Math.abs(px - x1) < near,
      top: Math.abs(py - y0) < near, bottom: Math.abs(py - y1) < near,
    };
    if (edges.right) edges.left = false;
    if (edges.bottom) edges.top = false;
    return { box: [x0, y0, x1, y1], edges, start: { x: px, y: py } };
  },
  drag(from, to, s) {
    const { box, edges: e, start } = s.grab || {};
    if (!box) return null;
    let [x0, y0, x1, y1] = box;
    const dx = Math.round(to.x / ZOOM - start.x), dy = Math.round(to.y / ZOOM - start.y);
    if (!(e.left || e.right || e.top || e.bottom)) {
      return { x: clip(x0 + dx, 0, SIDE - x1 + x0), y: clip(y0 + dy, 0, SIDE - y1 + y0), w: x1 - x0, h: y1 - y0 };
    }
    if (e.left) x0 = clip(x0 + dx, 0, x1 - LEAST);
    if (e.right) x1 = clip(x1 + dx, x0 + LEAST, SIDE);
    if (e.top) y0 = clip(y0 + dy, 0, y1 - LEAST);
    if (e.bottom) y1 = clip(y1 + dy, y0 + LEAST, SIDE);
    return { x: x0, y: y0, w: Math.max(LEAST, x1 - x0), h: Math.max(LEAST, y1 - y0) };
  },
  key(key, shift, s) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!step) return null;
    const { x, y, w, h } = s.state;
    if (shift) return { w: clip(w + step[0], LEAST, Math.max(LEAST, SIDE - x)), h: clip(h + step[1], LEAST, Math.max(LEAST, SIDE - y)) };
    return { x: clip(x + step[0], 0, Math.max(0, SIDE - w)), y: clip(y + step[1], 0, Math.max(0, SIDE - h)) };
  },
};
