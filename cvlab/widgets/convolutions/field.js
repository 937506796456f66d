// The receptive field: levels from the input (below) to the output (above); a click asks what a cell sees.
const UNIT = 13, MARGIN = 4, TOP = 2, LEFT = 60, RISE = 58, LAYERS = 4;  // room for four layers, the input lowest
const x = (s, level, cell) => LEFT + (MARGIN + 0.5 + level.start + cell * level.step) * UNIT;
const y = (s, depth) => TOP + (LAYERS - depth) * RISE + 14;
const chosen = (s) => {
  const depth = Math.min(s.state.level, s.data.levels.length - 1);
  return { depth, cell: Math.min(s.state.cell, s.data.levels[depth].cells - 1) };
};
function seen(s) {
  const { depth, cell } = chosen(s), found = [];
  found[depth] = [cell];
  for (let d = depth; d > 0; d--) {
    const { kernel, stride, dilation, padding } = s.data.levels[d], below = new Set();
    for (const c of found[d]) for (let k = 0; k < kernel; k++) below.add(c * stride - padding + dilation * k);
    found[d - 1] = [...below].sort((a, b) => a - b);
  }
  return found;
}
const hit = (p, s) => {
  const depth = Math.min(s.data.levels.length - 1, Math.max(0, Math.round(LAYERS - (p.y - TOP - 14) / RISE)));
  const level = s.data.levels[depth];
  const cell = Math.round((p.x - LEFT) / UNIT / level.step - (MARGIN + 0.5 + level.start) / level.step);
  return { level: depth, cell: Math.min(level.cells - 1, Math.max(0, cell)) };
};

return {
  size: (s) => [LEFT + (s.data.levels[0].cells + 2 * MARGIN) * UNIT + 6, TOP + LAYERS * RISE + 30],
  draw(ctx, s) {
    const { levels } = s.data, found = seen(s), { depth } = chosen(s), half = UNIT / 2 - 1;
    ctx.textBaseline = "middle";
    ctx.save();
    ctx.beginPath();
    ctx.rect(LEFT, 0, s.width - LEFT, s.height);
    ctx.clip();
    ctx.strokeStyle = s.theme.prediction;
    ctx.globalAlpha = s.theme.dark ? 0.8 : 0.5;
    ctx.lineWidth = 1.2;
    for (let d = depth; d > 0; d--) {
      const { kernel, stride, dilation, padding } = levels[d];
      for (const c of found[d]) for (let k = 0; k < kernel; k++) {
        ctx.beginPath();
        ctx.moveTo(x(s, levels[d], c), y(s, d) + half);
        ctx.lineTo(x(s, levels[d - 1], c * stride - padding + dilation * k), y(s, d - 1) - half);
        ctx.stroke();
      }
    }
    ctx.globalAlpha = 1;
    levels.forEach((level, d) => {
      const inside = new Set(found[d] || []);
      for (let c = 0; c < level.cells; c++) {
        ctx.fillStyle = inside.has(c) ? s.theme.prediction : s.theme.dark ? "#4a4a4a" : "#d0d0d0";
        ctx.fillRect(x(s, level, c) - half, y(s, d) - half, 2 * half, 2 * half);
      }
      ctx.strokeStyle = s.theme.prediction;
      for (const c of inside) if (c < 0 || c >= level.cells) ctx.strokeRect(x(s, level, c) - half + 1, y(s, d) - half + 1, 2 * half - 2, 2 * half - 2);
    });
    ctx.restore();
    ctx.fillStyle = s.theme.ink;
    ctx.textAlign = "left";
    levels.forEach((level, d) => ctx.fillText(d ? `layer ${d}` : "input", 6, y(s, d)));
    const at = chosen(s);
    ctx.strokeStyle = s.theme.ink;
    ctx.lineWidth = 2;
    ctx.strokeRect(x(s, levels[depth], at.cell) - half - 1, y(s, depth) - half - 1, 2 * half + 2, 2 * half + 2);
  },
  drag: (from, to, s) => hit(to, s),
  key(key, shift, s) {
    const { depth, cell } = chosen(s), levels = s.data.levels;
    const across = { ArrowRight: 1, ArrowLeft: -1 }[key], up = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (across) return { level: depth, cell: Math.min(levels[depth].cells - 1, Math.max(0, cell + across)) };
    if (!up) return null;
    const level = Math.min(levels.length - 1, Math.max(0, depth + up)), old = levels[depth], there = levels[level];
    const nearest = Math.round((old.start + cell * old.step - there.start) / there.step);
    return { level, cell: Math.min(there.cells - 1, Math.max(0, nearest)) };
  },
};
