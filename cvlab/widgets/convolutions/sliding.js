// The sliding kernel: Python sends the padded picture, the kernel and all answers once; every step happens here.
const TOP = 26, LEFT = 6, GAP = 30, ROOM = 2, BIG = 44;  // ROOM: cells of padding that there is always room for
const layout = (s) => {
  const { padded, padding } = s.data, rows = padded.length - 2 * padding, cols = padded[0].length - 2 * padding;
  const cell = Math.min(36, Math.floor(574 / (2 * Math.max(rows, cols) + 4 * ROOM - 1)));
  const [tall, wide] = [(rows + 2 * ROOM) * cell, (cols + 2 * ROOM) * cell], at = (ROOM - padding) * cell;
  const right = LEFT + wide + GAP, below = TOP + tall + 34;
  return { cell, tall, wide, x: LEFT + at, y: TOP + at, right, below, height: below + 3 * BIG + 6 };
};
const count = (s) => s.data.output.length * (s.data.output[0] || []).length;
const place = (s) => {
  const cols = (s.data.output[0] || []).length, step = count(s) ? s.state.step % count(s) : 0;
  return { step, cols, row: Math.floor(step / cols), col: step % cols };
};
const window_ = (s) => {
  const { row, col } = place(s), { padded, kernel, stride, dilation } = s.data;
  const patch = kernel.map((line, i) => line.map((_, j) => padded[row * stride + i * dilation][col * stride + j * dilation]));
  return { patch, products: patch.map((line, i) => line.map((v, j) => v * kernel[i][j])) };
};
const largest = (grid) => Math.max(0, ...grid.flat().map(Math.abs));
function words(ctx, s, text, x, y, size = 13, colour = s.theme.ink) {
  ctx.font = `${size > 13 ? "bold " : ""}${size}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}
const move = (s, by) => ({ step: (((place(s).step + by) % count(s)) + count(s)) % count(s) });
const last = (s) => place(s).step === count(s) - 1;

return {
  size: (s) => [620, layout(s).height],
  draw(ctx, s) {
    const { padded, output, kernel, padding, stride, dilation } = s.data, at = layout(s), { row, col, step, cols } = place(s);
    const n = padded.length, m = padded[0].length, { cell } = at;
    words(ctx, s, padding ? "The picture, with padding" : "The picture", LEFT, 16);
    ctx.strokeStyle = s.theme.grid;
    ctx.strokeRect(LEFT + 0.5, TOP + 0.5, at.wide - 1, at.tall - 1);
    if (!padding) words(ctx, s, "room for padding", LEFT + 8, TOP + at.tall - 8, 12, s.theme.dim);
    const outside = (r, c) => r < padding || c < padding || r >= n - padding || c >= m - padding;
    const most = largest(padded);
    cells(ctx, s, padded, at.x, at.y, cell, (v) => grey(v, most), outside);
    words(ctx, s, count(s) ? "Answers so far" : "The kernel fits nowhere", at.right, 16);
    if (!count(s)) return;
    const limit = largest(output), so = output.map((line, r) => line.map((v, c) => (r * cols + c <= step ? v : null)));
    cells(ctx, s, so, at.right, TOP, cell, (v) => signed(v, limit));
    if (dilation > 1) {
      ctx.strokeStyle = s.theme.here;
      ctx.lineWidth = 2.5;
      kernel.forEach((line, i) => line.forEach((_, j) => {
        ctx.strokeRect(at.x + (col * stride + j * dilation) * cell + 4, at.y + (row * stride + i * dilation) * cell + 4, cell - 8, cell - 8);
      }));
    }
    const reach = (dilation * (kernel.length - 1) + 1) * cell;
    framed(ctx, s, at.x + col * stride * cell, at.y + row * stride * cell, reach, reach);
    framed(ctx, s, at.right + col * cell, TOP + row * cell, cell, cell);
    const { patch, products } = window_(s), y = at.below, k = kernel.length * BIG, next = 3 * BIG + 30;
    words(ctx, s, "Patch", LEFT, y - 8);
    words(ctx, s, "Kernel", LEFT + next, y - 8);
    words(ctx, s, "Products", LEFT + 2 * next, y - 8);
    cells(ctx, s, patch, LEFT, y, BIG, (v) => grey(v, most));
    cells(ctx, s, kernel, LEFT + next, y, BIG, (v) => signed(v, largest(kernel)));
    cells(ctx, s, products, LEFT + 2 * next, y, BIG, (v) => signed(v, limit));
    words(ctx, s, "×", LEFT + k + 9, y + k / 2 + 6, 18);
    words(ctx, s, "=", LEFT + next + k + 9, y + k / 2 + 6, 18);
    words(ctx, s, `sum ${write(output[row][col])}`, LEFT + 2 * next + k + 12, y + k / 2 + 6, 18);
  },
  drag(from, to, s) {
    if (!count(s)) return null;
    const at = layout(s), { cols } = place(s), rows = s.data.output.length, { stride, dilation, kernel } = s.data;
    const clip = (v, n) => Math.min(n - 1, Math.max(0, v));
    if (to.y > at.below - GAP) return null;
    if (to.x >= at.right) {
      const [r, c] = [Math.floor((to.y - TOP) / at.cell), Math.floor((to.x - at.right) / at.cell)];
      return r < rows ? { step: clip(r, rows) * cols + clip(c, cols) } : null;
    }
    const start = (pixels, n) => clip(Math.round((Math.floor(pixels / at.cell) - (dilation * (kernel.length - 1)) / 2) / stride), n);
    return { step: start(to.y - at.y, rows) * cols + start(to.x - at.x, cols) };
  },
  key(key, shift, s) {
    if (!count(s)) return null;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: place(s).cols, ArrowUp: -place(s).cols }[key];
    if (key === "Home") return { step: 0 };
    if (key === "End") return { step: count(s) - 1 };
    return by === undefined ? null : move(s, by);
  },
  tell(s) {
    const size = `${s.data.output.length} × ${(s.data.output[0] || []).length}`;
    const judged = (done) => s.data.verdicts.slice(Number(done), Number(done) + 1);
    if (!count(s)) return [s.data.misfit, ...judged(false)];
    const { row, col, step } = place(s), answer = s.data.output[row][col];
    return [
      `place: ${step + 1} of ${count(s)}, row ${row}, column ${col}`,
      `products: ${window_(s).products.flat().map(write).join(" + ").replaceAll("+ −", "− ")}`,
      `sum: ${write(answer)}`,
      `answers in all: ${size}`,
      ...judged(Math.abs(answer) >= largest(s.data.output) - 1e-9),
    ];
  },
  start({ el, now, change }) {
    const bar = document.createElement("div");
    bar.className = "cvlab-bar";
    let timer = null;
    const button = (words, help, act) => {
      const b = document.createElement("button");
      b.textContent = words;
      b.title = help;
      b.className = "jupyter-button";
      b.addEventListener("click", act);
      bar.append(b);
      return b;
    };
    const pause = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const go = (by) => { if (count(now())) change(move(now(), by)); };
    button("Back", "One place back", () => { pause(); go(-1); });
    button("Step", "One place on", () => { pause(); go(1); });
    const play = button("Play", "Walk over the picture, or stop", () => {
      if (timer) return pause();
      if (!count(now())) return;
      if (last(now())) change({ step: 0 });
      play.textContent = "Pause";
      timer = setInterval(() => { if (!count(now()) || last(now())) pause(); else go(1); }, 600);
    });
    el.prepend(bar);
    return pause;
  },
};
