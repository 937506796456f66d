// Ten detections on a scale of scores, and the curve that their order makes.
const LEFT = 18, ACROSS = 354, TOP = 34, ROW = 25, FOOT = 286;  // the dots
const X = 456, WIDE = 150, Y = 286, TALL = 256;  // the curve: its lower left corner, its sides
const x = (score) => LEFT + (score / 100) * ACROSS, y = (i) => TOP + i * ROW;
const scores = (s) => s.data.right.map((_, i) => s.state[`score_${i + 1}`]);
function judge(s) {
  const all = scores(s), order = all.map((_, i) => i).sort((a, b) => all[b] - all[a] || a - b);
  const n = s.data.truths, precision = [], recall = [];
  let tp = 0, sum = 0;
  order.forEach((d, i) => { tp += s.data.right[d]; precision.push(tp / (i + 1)); recall.push(tp / n); });
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1]);
  for (let level = 0; level <= 100; level++) {
    const at = recall.findIndex((r) => r >= level / 100 - 1e-12);
    sum += at < 0 ? 0 : precision[at];
  }
  return { ap: sum / 101, order, precision, recall };
}
function words(ctx, text, at, down, align, colour, font = "13px") {
  ctx.font = `${font} system-ui, sans-serif`;
  ctx.textAlign = align;
  ctx.fillStyle = colour;
  ctx.fillText(text, at, down);
}
function line(ctx, colour, ...places) {
  ctx.strokeStyle = colour;
  ctx.beginPath();
  places.forEach((place, i) => (i ? ctx.lineTo(...place) : ctx.moveTo(...place)));
  ctx.stroke();
}
function curve(ctx, s, precision, recall) {
  const at = (r, p) => [X + WIDE * r, Y - TALL * p];
  for (let v = 0; v <= 1.01; v += 0.25) {
    line(ctx, s.theme.grid, at(v, 0), at(v, 1));
    line(ctx, s.theme.grid, at(0, v), at(1, v));
    words(ctx, String(v), X - 6, at(0, v)[1] + 4, "right", s.theme.dim, "12px");
    if (v % 0.5 === 0) words(ctx, String(v), at(v, 0)[0], Y + 17, "center", s.theme.dim, "12px");
  }
  words(ctx, "recall", X + WIDE / 2, Y + 31, "center", s.theme.ink);
  ctx.save();
  ctx.translate(X - 44, Y - TALL / 2);
  ctx.rotate(-Math.PI / 2);
  words(ctx, "precision", 0, 4, "center", s.theme.ink);
  ctx.restore();
  const steps = [at(0, precision[0])];
  let before = 0;
  precision.forEach((p, i) => { steps.push(at(before, p), at(recall[i], p)); before = recall[i]; });
  ctx.lineWidth = 3;
  line(ctx, s.theme.prediction, ...steps);
  ctx.lineTo(...at(before, 0));
  ctx.lineTo(...at(0, 0));
  ctx.globalAlpha = s.theme.dark ? 0.35 : 0.15;
  ctx.fillStyle = s.theme.prediction;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.lineWidth = 1;
}

return {
  size: () => [620, 322],
  draw(ctx, s) {
    const { ap, order, precision, recall } = judge(s), rank = [];
    order.forEach((d, place) => { rank[d] = place + 1; });
    for (let v = 0; v <= 100; v += 20) {
      line(ctx, s.theme.grid, [x(v), 20], [x(v), FOOT]);
      words(ctx, String(v), x(v), FOOT + 17, "center", s.theme.dim, "12px");
    }
    words(ctx, "score in %", LEFT + ACROSS / 2, FOOT + 31, "center", s.theme.ink);
    scores(s).forEach((score, i) => {
      const [across, down, good] = [x(score), y(i), s.data.right[i]], colour = good ? s.theme.truth : s.theme.error;
      line(ctx, s.theme.grid, [x(0), down], [x(100), down]);
      ctx.fillStyle = colour;
      ctx.beginPath();
      if (good) ctx.arc(across, down, 11, 0, 7); else ctx.rect(across - 10, down - 10, 20, 20);
      ctx.fill();
      if (s.state.selected === i + 1) {
        ctx.lineWidth = 3;
        ctx.strokeStyle = s.theme.ink;
        ctx.stroke();
        ctx.lineWidth = 1;
      }
      words(ctx, rank[i], across, down + 4.5, "center", "#000");
    });
    words(ctx, `AP ${ap.toFixed(3)}`, X + WIDE, 16, "right", s.theme.ink, "bold 15px");
    for (const [text, at, colour] of [
      ["●", 0, s.theme.truth], ["right", 14, s.theme.ink], ["■", 60, s.theme.error], ["wrong", 74, s.theme.ink],
      ["the number is its place", 130, s.theme.ink],
    ]) words(ctx, text, LEFT - 12 + at, 14, "left", colour);
    ctx.canvas.dataset.ap = ap.toFixed(6);
    curve(ctx, s, precision, recall);
  },
  grab(at, s) {
    let best = 0;
    s.data.right.forEach((_, i) => { if (Math.abs(y(i) - at.y) < Math.abs(y(best) - at.y)) best = i; });
    return best;
  },
  drag(from, to, s) {
    const score = Math.round(((to.x - LEFT) / ACROSS) * 100);
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
};
