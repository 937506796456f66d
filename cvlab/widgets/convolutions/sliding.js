// The sliding kernel: Python sends the padded picture, the kernel and all answers once; every step happens here.
const TOP = 26, LEFT = 8, GAP = 34;
const layout = (s) => {
  const { padded, output, kernel } = s.data;
  const cell = Math.min(44, Math.floor(300 / Math.max(padded.length, padded[0].length)));
  const width = padded[0].length * cell, right = LEFT + width + GAP;
  const below = TOP + Math.max(padded.length, output.length) * cell + 34;
  const k = 44, kw = kernel[0].length * k, kh = kernel.length * k;
  const outWidth = Math.max((output[0] || []).length * cell, 120);
  return { cell, right, below, k, kw, kh, width: Math.max(right + outWidth + 8, LEFT + 3 * kw + 2 * 30 + 110) };
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

function cells(ctx, values, x, y, cell, paint, empty) {
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  values.forEach((line, r) => line.forEach((value, c) => {
    const rgb = value === null || empty?.(r, c) ? null : paint(value);
    ctx.fillStyle = rgb ? css(rgb) : "rgba(128,128,128,0.22)";
    ctx.fillRect(x + c * cell + 0.5, y + r * cell + 0.5, cell - 1, cell - 1);
    if (value === null) return;
    const words = write(value);
    ctx.font = `${Math.min(15, Math.floor(1.5 * cell / Math.max(3, words.length)))}px system-ui, sans-serif`;
    ctx.fillStyle = rgb ? inkOn(rgb) : ctx.canvas.cvlabInk;
    ctx.fillText(words, x + (c + 0.5) * cell, y + (r + 0.5) * cell);
  }));
}
function title(ctx, words, x, y) {
  ctx.font = "13px system-ui, sans-serif";
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = ctx.canvas.cvlabInk;
  ctx.fillText(words, x, y);
}
const move = (s, by) => ({ step: (((place(s).step + by) % count(s)) + count(s)) % count(s) });
const last = (s) => place(s).step === count(s) - 1;

return {
  size: (s) => {
    const at = layout(s);
    return [at.width, at.below + at.kh + 8];
  },
  draw(ctx, s) {
    const { padded, output, kernel, padding, stride, dilation } = s.data, at = layout(s), { row, col, step, cols } = place(s);
    const n = padded.length, m = padded[0].length;
    ctx.canvas.cvlabInk = s.theme.ink;
    title(ctx, padding ? "The picture, with padding" : "The picture", LEFT, 16);
    const outside = (r, c) => r < padding || c < padding || r >= n - padding || c >= m - padding;
    const most = largest(padded);
    cells(ctx, padded, LEFT, TOP, at.cell, (v) => grey(v, most), outside);
    title(ctx, count(s) ? "Answers so far" : "The kernel fits nowhere", at.right, 16);
    if (!count(s)) return;
    const limit = largest(output), so = output.map((line, r) => line.map((v, c) => (r * cols + c <= step ? v : null)));
    cells(ctx, so, at.right, TOP, at.cell, (v) => signed(v, limit));
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = s.theme.colours[1];
    const reach = (k) => dilation * (k - 1) + 1;
    kernel.forEach((line, i) => line.forEach((_, j) => {
      ctx.strokeRect(LEFT + (col * stride + j * dilation) * at.cell + 1.5, TOP + (row * stride + i * dilation) * at.cell + 1.5, at.cell - 3, at.cell - 3);
    }));
    ctx.strokeRect(LEFT + col * stride * at.cell, TOP + row * stride * at.cell, reach(kernel[0].length) * at.cell, reach(kernel.length) * at.cell);
    ctx.strokeRect(at.right + col * at.cell + 1, TOP + row * at.cell + 1, at.cell - 2, at.cell - 2);
    const { patch, products } = window_(s), y = at.below, ys = y - 8, step3 = at.kw + 30;
    title(ctx, "Patch", LEFT, ys);
    title(ctx, "Kernel", LEFT + step3, ys);
    title(ctx, "Products", LEFT + 2 * step3, ys);
    cells(ctx, patch, LEFT, y, at.k, (v) => grey(v, most));
    cells(ctx, kernel, LEFT + step3, y, at.k, (v) => signed(v, largest(kernel)));
    cells(ctx, products, LEFT + 2 * step3, y, at.k, (v) => signed(v, limit));
    ctx.fillStyle = s.theme.ink;
    ctx.font = "20px system-ui, sans-serif";
    ctx.fillText("×", LEFT + at.kw + 15, y + at.kh / 2);
    ctx.fillText("=", LEFT + step3 + at.kw + 15, y + at.kh / 2);
    ctx.textAlign = "left";
    ctx.font = "bold 17px system-ui, sans-serif";
    ctx.fillText(`sum ${write(output[row][col])}`, LEFT + 3 * step3 - 16, y + at.kh / 2);
  },
  drag(from, to, s) {
    if (!count(s)) return null;
    const at = layout(s), { cols } = place(s), rows = s.data.output.length, { stride, dilation, kernel } = s.data;
    const clip = (v, n) => Math.min(n - 1, Math.max(0, v));
    const r = Math.floor((to.y - TOP) / at.cell);
    if (to.x >= at.right) return r < rows ? { step: clip(r, rows) * cols + clip(Math.floor((to.x - at.right) / at.cell), cols) } : null;
    if (r >= s.data.padded.length || r < 0) return null;
    const start = (cell, k, n) => clip(Math.round((cell - (dilation * (k - 1)) / 2) / stride), n);
    const c = Math.floor((to.x - LEFT) / at.cell);
    return { step: start(r, kernel.length, rows) * cols + start(c, kernel[0].length, cols) };
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
    const judged = (done) => (s.data.judged ? [done ? "✓ Task done" : "○ Task not done yet"] : []);
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
    bar.style.cssText = "flex:1 0 100%;display:flex;gap:6px;margin:4px 0";
    let timer = null;
    const button = (words, help, act) => {
      const b = document.createElement("button");
      b.textContent = words;
      b.title = help;
      b.className = "jupyter-button";
      b.style.cssText = "min-width:84px;cursor:pointer";
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
