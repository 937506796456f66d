// A scene of 32 x 32 squares to be painted; a row's painting is one whole number, a bit a square.
const SIDE = 32, CELL = 12, LEFT = 6, TOP = 6, FOOT = 30, WIDE = SIDE * CELL, VEIL = 0xa6 / 255;
const name = (r) => `row_${String(r).padStart(2, "0")}`;
const bit = (row, c) => Math.floor(row / 2 ** c) % 2;  // not >>: that has 31 bits and a sign
const keep = (v) => Math.min(SIDE - 1, Math.max(0, v));
const pictures = new Map();  // the bytes -> a small canvas, made once
function scene(s) {
  const { pixels, size } = s.data;
  if (!pictures.has(pixels)) {
    const image = new ImageData(size, size), bytes = atob(pixels);
    for (let i = 0; i < size * size; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = bytes.charCodeAt(3 * i + k);
      image.data[4 * i + 3] = 255;
    }
    const small = new OffscreenCanvas(size, size);
    small.getContext("2d").putImageData(image, 0, 0);
    pictures.set(pixels, small);
  }
  return pictures.get(pixels);
}
// The squares under the brush around (row, col): 1 x 1 to 5 x 5, as many as lie inside.
function* under(s, row, col) {
  const up = Math.floor((s.state.brush - 1) / 2);
  for (let r = row - up; r < row - up + s.state.brush; r++)
    for (let c = col - up; c < col - up + s.state.brush; c++)
      if (r >= 0 && c >= 0 && r < SIDE && c < SIDE) yield [r, c];
}
// Paint (on = 1) or erase (0) along a straight way between two squares, and leave the brush at its end.
function stroke(s, from, to, on) {
  const changes = { row: to.row, col: to.col }, steps = Math.max(1, Math.abs(to.row - from.row), Math.abs(to.col - from.col));
  for (let i = 0; i <= steps; i++) {
    const row = Math.round(from.row + ((to.row - from.row) * i) / steps);
    const col = Math.round(from.col + ((to.col - from.col) * i) / steps);
    for (const [r, c] of under(s, row, col)) {
      const now = changes[name(r)] ?? s.state[name(r)];
      changes[name(r)] = now + (on - bit(now, c)) * 2 ** c;
    }
  }
  return changes;
}
const at = (p) => ({ row: keep(Math.floor((p.y - TOP) / CELL)), col: keep(Math.floor((p.x - LEFT) / CELL)) });
const inside = (p) => p.x >= LEFT && p.y >= TOP && p.x < LEFT + WIDE && p.y < TOP + WIDE;

return {
  size: () => [WIDE + 2 * LEFT, TOP + WIDE + FOOT],
  draw(ctx, s) {
    const { truth, prediction, error, ink } = s.theme, told = s.data.truth.length > 0;
    ctx.imageSmoothingEnabled = true;
    ctx.drawImage(scene(s), LEFT, TOP, WIDE, WIDE);
    ctx.globalAlpha = VEIL;
    for (let r = 0; r < SIDE; r++) {
      for (let c = 0; c < SIDE; c++) {
        const painted = bit(s.state[name(r)], c), real = told && bit(s.data.truth[r], c);
        if (!painted && !real) continue;
        ctx.fillStyle = told && painted ? (real ? truth : error) : prediction;
        ctx.fillRect(LEFT + c * CELL, TOP + r * CELL, CELL, CELL);
      }
    }
    ctx.globalAlpha = 1;
    const up = Math.floor((s.state.brush - 1) / 2), span = s.state.brush * CELL;
    framed(ctx, s, LEFT + (s.state.col - up) * CELL, TOP + (s.state.row - up) * CELL, span, span);
    const names = told ? [[truth, "hit"], [prediction, "missed"], [error, "false alarm"]] : [[prediction, "painted"]];
    ctx.font = "13px system-ui, sans-serif";
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    names.forEach(([colour, words], i) => {
      ctx.fillStyle = colour;
      ctx.fillRect(LEFT + 110 * i, TOP + WIDE + 9, 12, 12);
      ctx.fillStyle = ink;
      ctx.fillText(words, LEFT + 110 * i + 18, TOP + WIDE + 20);
    });
  },
  grab(p, s) {
    if (!inside(p)) return { off: true };
    const { row, col } = at(p);
    return { on: 1 - bit(s.state[name(row)], col) };
  },
  drag(from, to, s) {
    return s.grab && !s.grab.off ? stroke(s, at(from), at(to), s.grab.on) : null;
  },
  key(key, shift, s) {
    const { row, col } = s.state, by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    const here = { row, col };
    if (key === " ") return stroke(s, here, here, 1 - bit(s.state[name(row)], col));
    if (!by) return null;
    const there = { row: keep(row + by[0]), col: keep(col + by[1]) };
    return shift ? stroke(s, here, there, 1) : there;
  },
};
