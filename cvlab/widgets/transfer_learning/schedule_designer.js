// Seven knots of a learning rate, moved up and down, and the loss that Python's small training has with it.
const STEPS = 120, KNOTS = 7, LEVELS = 60, LEFT = 52, TOP = 30, WIDE = 266, TALL = 220, GAP = 66;
const LOW = -3, HIGH = 3, ENOUGH = 0.03, RIGHT = LEFT + WIDE + GAP;
const keep = (v, low, high) => Math.min(high, Math.max(low, v));
const edit = (s, i) => s.state[`edit_${i + 1}`];
const level = (s, i) => keep(s.data.base[i] + edit(s, i), 0, LEVELS);
const x = (i) => LEFT + (WIDE * i) / (KNOTS - 1), y = (v) => TOP + TALL * (1 - v / LEVELS);
const set = (s, i, v) => ({ [`edit_${i + 1}`]: keep(Math.round(v), 0, LEVELS) - s.data.base[i], selected: i + 1 });
const all = (edits, by) => Object.fromEntries(edits.map((e, i) => [`edit_${i + 1}`, keep(e + by, -100, 100)]));
const edits = (s) => s.data.base.map((_, i) => edit(s, i));
function words(ctx, text, at, down, align, colour, font = "13px") {
  ctx.font = `${font} system-ui, sans-serif`;
  ctx.textAlign = align;
  ctx.fillStyle = colour;
  ctx.fillText(text, at, down);
}
function line(ctx, colour, wide, ...places) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = wide;
  ctx.lineJoin = "round";
  ctx.beginPath();
  places.forEach((place, i) => (i ? ctx.lineTo(...place) : ctx.moveTo(...place)));
  ctx.stroke();
}
function axes(ctx, s, left, title, levels) {
  for (let step = 0; step <= STEPS; step += 20) {
    const across = left + (WIDE * step) / STEPS;
    line(ctx, s.theme.grid, 1, [across, TOP], [across, TOP + TALL]);
    if (step % 40 === 0) words(ctx, String(step), across, TOP + TALL + 17, "center", s.theme.dim, "12px");
  }
  for (const [number, height] of levels) {
    const down = TOP + TALL * (1 - height);
    line(ctx, s.theme.grid, 1, [left, down], [left + WIDE, down]);
    words(ctx, String(number), left - 11, down + 4, "right", s.theme.dim, "12px");
  }
  words(ctx, title, left, TOP - 12, "left", s.theme.ink);
  words(ctx, "step", left + WIDE / 2, TOP + TALL + 33, "center", s.theme.ink);
}

return {
  size: () => [LEFT + 2 * WIDE + GAP + 16, TOP + TALL + 40],
  draw(ctx, s) {
    axes(ctx, s, LEFT, "learning rate, drag it", [0.001, 0.01, 0.1, 1].map((v, i) => [v, i / 3]));
    axes(ctx, s, RIGHT, "loss", [0.001, 0.01, 0.1, 1, 10, 100, 1000].map((v, i) => [v, i / 6]));
    const enough = TOP + TALL * (1 - (Math.log10(ENOUGH) - LOW) / (HIGH - LOW));
    for (let at = RIGHT; at < RIGHT + WIDE; at += 8) line(ctx, s.theme.ink, 1, [at, enough], [at + 4, enough]);
    words(ctx, String(ENOUGH), RIGHT + 4, enough - 5, "left", s.theme.ink, "12px");
    const down = (v) => TOP + TALL * (1 - keep((v - LOW) / (HIGH - LOW), 0, 1));
    line(ctx, s.theme.error, 2, ...s.data.loss.map((v, i) => [RIGHT + (WIDE * i) / STEPS, down(v)]));
    if (s.data.lost) {
      const end = RIGHT + (WIDE * s.data.loss.length) / STEPS, early = s.data.loss.length < STEPS / 2;
      words(ctx, "grows without end", end + (early ? 10 : -14), TOP + 18, early ? "left" : "right", s.theme.ink);
    }
    const knots = s.data.base.map((_, i) => [x(i), y(level(s, i))]);
    line(ctx, s.theme.prediction, 3, ...knots);
    knots.forEach(([across, up], i) => {
      const chosen = s.state.selected === i + 1;
      ctx.beginPath();
      ctx.arc(across, up, chosen ? 8 : 6, 0, 7);
      ctx.fillStyle = s.theme.prediction;
      ctx.fill();
      ctx.strokeStyle = chosen ? s.theme.ink : s.theme.ground;
      ctx.lineWidth = 2;
      ctx.stroke();
    });
    ctx.canvas.dataset.loss = s.data.lost ? "lost" : s.data.loss[STEPS];
  },
  grab(at, s) {
    if (at.x > LEFT + WIDE + 20) return { none: true };
    const i = keep(Math.round(((at.x - LEFT) / WIDE) * (KNOTS - 1)), 0, KNOTS - 1);
    const near = Math.abs(at.x - x(i)) < 16 && Math.abs(at.y - y(level(s, i))) < 22;
    return { knot: near ? i : null, start: at, level: level(s, i), edits: edits(s) };
  },
  drag(from, to, s) {
    const g = s.grab;
    if (!g || g.none) return null;
    const by = Math.round(((g.start.y - to.y) / TALL) * LEVELS);
    return g.knot === null ? all(g.edits, by) : set(s, g.knot, g.level + by);
  },
  key(key, shift, s) {
    const at = s.state.selected, by = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (key === "ArrowLeft") return { selected: Math.max(1, at - 1) };
    if (key === "ArrowRight") return { selected: Math.min(KNOTS, at + 1) };
    if (!by) return null;
    return shift ? all(edits(s), by) : set(s, at - 1, level(s, at - 1) + by);
  },
};
