// The upsampling explorer: Python sends both maps and, for every row and column, its place, taps and weights; pointing happens here.
const TOP = 26, LEFT = 6, GAP = 30, CELL = 44, GROWN = 320, BIG = 40, MOST = 6, WIDTH = 660;
const RIGHT = LEFT + MOST * CELL + GAP, BELOW = TOP + GROWN + 34;
const sides = (s) => [s.data.grown.length, s.data.grown[0].length];
const cellOf = (s) => Math.floor(GROWN / Math.max(...sides(s)));
const at = (s) => ({ row: Math.min(s.state.row, sides(s)[0] - 1), col: Math.min(s.state.col, sides(s)[1] - 1) });
const clip = (v, n) => Math.min(n - 1, Math.max(0, v));
// The middle between two roundings goes upwards, here and in Python; no minus stands before 0.
const rounded = (v, scale) => Math.floor(v * scale + 0.5 + 1e-9 * scale) / scale + 0;
const hundredths = (grid) => grid.map((line) => line.map((v) => rounded(v, 100)));
const say = (v) => rounded(v, 1000).toFixed(3).replace(/0+$/, "").replace(/\.$/, "").replace("-", "−");
const largest = (grid) => Math.max(0, ...grid.flat().map(Math.abs));
function mixed(s) {
  const { row, col } = at(s), { image, axes } = s.data, n = image.length, m = image[0].length;
  const rows = axes[0].taps[row], cols = axes[1].taps[col];
  const patch = rows.map((r) => cols.map((c) => image[clip(r, n)][clip(c, m)]));
  const weights = axes[0].shares[row].map((a) => axes[1].shares[col].map((b) => a * b));
  const beyond = (i, j) => rows[i] !== clip(rows[i], n) || cols[j] !== clip(cols[j], m);
  const total = new Map();
  rows.forEach((r, i) => cols.forEach((c, j) => {
    const key = `${clip(r, n)} ${clip(c, m)}`;
    total.set(key, (total.get(key) || 0) + weights[i][j]);
  }));
  const places = [...total.keys()].map((key) => key.split(" ").map(Number));
  const used = places.filter(([r, c]) => Math.abs(total.get(`${r} ${c}`)) > 5e-10);
  return { patch, weights, beyond, places, used };
}
function words(ctx, s, text, x, y, size = 13, colour = s.theme.ink) {
  ctx.font = `${size > 13 ? "bold " : ""}${size}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

return {
  size: () => [WIDTH, BELOW + 4 * BIG + 6],
  draw(ctx, s) {
    const { image, grown, axes } = s.data, { row, col } = at(s), cell = cellOf(s), most = largest(image);
    const { patch, weights, beyond, places } = mixed(s);
    words(ctx, s, "Old map", LEFT, 16);
    cells(ctx, s, image, LEFT, TOP, CELL, (v) => grey(v, most));
    ctx.strokeStyle = s.theme.here;
    ctx.lineWidth = 2.5;
    for (const [r, c] of places) ctx.strokeRect(LEFT + c * CELL + 3, TOP + r * CELL + 3, CELL - 6, CELL - 6);
    ctx.beginPath();
    ctx.arc(LEFT + (axes[1].place[col] + 0.5) * CELL, TOP + (axes[0].place[row] + 0.5) * CELL, 5, 0, 2 * Math.PI);
    ctx.fillStyle = s.theme.here;
    ctx.fill();
    ctx.strokeStyle = "#000";
    ctx.lineWidth = 1;
    ctx.stroke();
    words(ctx, s, "● where the new centre lies", LEFT, TOP + GROWN - 20, 12, s.theme.dim);
    words(ctx, s, "□ the old pixels it looks at", LEFT, TOP + GROWN - 3, 12, s.theme.dim);
    words(ctx, s, `Grown to ${sides(s).join(" × ")}`, RIGHT, 16);
    cells(ctx, s, hundredths(grown), RIGHT, TOP, cell, (v) => grey(v, most));
    framed(ctx, s, RIGHT + col * cell, TOP + row * cell, cell, cell);
    const across = patch[0].length * BIG, next = 4 * BIG + 24, middle = BELOW + (patch.length * BIG) / 2 + 6;
    const products = patch.map((line, i) => line.map((v, j) => v * weights[i][j]));
    words(ctx, s, "Values", LEFT, BELOW - 8);
    words(ctx, s, "Weights", LEFT + next, BELOW - 8);
    words(ctx, s, "Products", LEFT + 2 * next, BELOW - 8);
    cells(ctx, s, hundredths(patch), LEFT, BELOW, BIG, (v) => grey(v, most), beyond);
    cells(ctx, s, hundredths(weights), LEFT + next, BELOW, BIG, (v) => signed(v, 1));
    cells(ctx, s, hundredths(products), LEFT + 2 * next, BELOW, BIG, (v) => signed(v, most));
    words(ctx, s, "×", LEFT + across + 5, middle, 18);
    words(ctx, s, "=", LEFT + next + across + 5, middle, 18);
    words(ctx, s, `sum ${say(grown[row][col])}`, LEFT + 2 * next + across + 12, middle, 18);
  },
  drag(from, to, s) {
    if (to.x < RIGHT - GAP / 2 || to.y > BELOW - GAP) return null;
    const [rows, cols] = sides(s), cell = cellOf(s);
    return { row: clip(Math.floor((to.y - TOP) / cell), rows), col: clip(Math.floor((to.x - RIGHT) / cell), cols) };
  },
  key(key, shift, s) {
    const [rows, cols] = sides(s), { row, col } = at(s);
    if (key === "Home") return { row: 0, col: 0 };
    if (key === "End") return { row: rows - 1, col: cols - 1 };
    const [down, right] = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key] || [];
    return down === undefined ? null : { row: clip(row + down, rows), col: clip(col + right, cols) };
  },
  tell(s) {
    const { axes, grown, mode, facts, verdicts } = s.data, { row, col } = at(s), [rows, cols] = sides(s), { used } = mixed(s);
    const { length: n, 0: { length: m } } = s.data.image;
    const inside = used.every(([r, c]) => r > 0 && c > 0 && r < n - 1 && c < m - 1);
    const done = mode === "bilinear" && used.length === 1 && inside;
    return [
      `new pixel: row ${row}, column ${col} of ${rows} × ${cols}`,
      `row: ${axes[0].formula[row]}`,
      `column: ${axes[1].formula[col]}`,
      `weights of rows: ${axes[0].shares[row].map(say).join(", ")}`,
      `weights of columns: ${axes[1].shares[col].map(say).join(", ")}`,
      `made of: ${used.length} old pixel${used.length === 1 ? "" : "s"}`,
      `value: ${say(grown[row][col])}`,
      ...facts,
      ...verdicts.slice(Number(done), Number(done) + 1),
    ];
  },
};
