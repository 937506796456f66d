// Two boxes on a photo: what they share, and their IoU in a strip of its own.
const FOOT = 34, TAG = 18, PARTS = ["x", "y", "w", "h"], WORDS = { truth: "truth", box: "detection" };
const photos = {};
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const box = (s, name) => PARTS.map((part) => s.state[`${name}_${part}`]);
function values(s) {
  const [a, b] = [box(s, "truth"), box(s, "box")];
  const w = Math.max(0, Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]));
  const h = Math.max(0, Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]));
  const overlap = w * h, union = a[2] * a[3] + b[2] * b[3] - overlap;
  return { overlap, union, iou: union > 0 ? overlap / union : 0, w, h };
}
function photo(ctx, s) {
  let image = photos[s.data.photo];
  if (!image) {
    image = photos[s.data.photo] = new Image();
    image.src = s.data.photo;
  }
  if (image.complete) ctx.drawImage(image, 0, 0, s.data.width, s.data.height);
  else image.addEventListener("load", s.repaint, { once: true });
}
// Where the names stand: on the upper edge of their box; the second moves to another place when they would collide.
function tags(s, wide) {
  const { width, height } = s.data, clip = (v, most) => Math.min(Math.max(0, most), Math.max(0, v));
  const [t, b] = [box(s, "truth"), box(s, "box")];
  const put = (x, y, w) => [clip(x, width - w), clip(y, height - TAG), w, TAG];
  const apart = (p, q) => p[0] + p[2] <= q[0] || q[0] + q[2] <= p[0] || p[1] + TAG <= q[1] || q[1] + TAG <= p[1];
  const first = put(t[0], t[1] - TAG, wide.truth), w = wide.box;
  const places = [
    put(b[0], b[1] - TAG, w), put(b[0], b[1] + b[3], w), put(b[0] + b[2] - w, b[1] - TAG, w),
    put(b[0] + b[2] - w, b[1] + b[3], w), put(first[0] + first[2], first[1], w), put(first[0] - w, first[1], w),
  ];
  return { truth: first, box: places.find((place) => apart(first, place)) || places[0] };
}
function moved(name, [x, y, w, h], s, sizing) {
  const [W, H] = [s.data.width, s.data.height], keep = (v, low, high) => Math.round(Math.min(high, Math.max(low, v)));
  if (!sizing) { w = keep(w, 0, W); h = keep(h, 0, H); x = keep(x, 0, W - w); y = keep(y, 0, H - h); }
  else { x = keep(x, 0, W); y = keep(y, 0, H); w = keep(w, 0, W - x); h = keep(h, 0, H - y); }
  const out = { active: WORDS[name] };
  return Object.assign(out, { [`${name}_x`]: x, [`${name}_y`]: y, [`${name}_w`]: w, [`${name}_h`]: h });
}

return {
  size: (s) => [s.data.width, s.data.height + FOOT],
  draw(ctx, s) {
    const { width, height } = s.data, all = { truth: box(s, "truth"), box: box(s, "box") }, v = values(s);
    const hue = { truth: s.theme.truth, box: s.theme.prediction };
    photo(ctx, s);
    for (const name of ["truth", "box"]) {
      ctx.fillStyle = `${hue[name]}48`;
      ctx.fillRect(...all[name]);
    }
    ctx.fillStyle = "#ffffff99";
    if (v.overlap > 0) ctx.fillRect(Math.max(all.truth[0], all.box[0]), Math.max(all.truth[1], all.box[1]), v.w, v.h);
    ctx.font = "13px system-ui, sans-serif";
    const places = tags(s, { truth: ctx.measureText("truth").width + 8, box: ctx.measureText("detection").width + 8 });
    for (const name of ["truth", "box"]) {
      const [x, y, w, h] = all[name];
      for (const [colour, wide] of [["#fff", 5], [hue[name], 3]]) {
        ctx.strokeStyle = colour;
        ctx.lineWidth = wide;
        ctx.strokeRect(x, y, w, h);
      }
      if (s.state.active !== WORDS[name]) continue;
      ctx.fillStyle = "#fff";
      ctx.strokeStyle = "#000";
      ctx.lineWidth = 1;
      for (const [i, j] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        const corner = [x + i * w - 4, y + j * h - 4, 8, 8];
        ctx.fillRect(...corner);
        ctx.strokeRect(...corner);
      }
    }
    for (const name of ["truth", "box"]) {
      const [x, y, w, h] = places[name];
      ctx.fillStyle = hue[name];
      ctx.fillRect(x, y, w, h);
      ctx.fillStyle = inkOn(rgb(hue[name]));
      ctx.fillText(WORDS[name], x + 4, y + 13.5);
    }
    ctx.fillStyle = s.theme.ink;
    ctx.font = "bold 18px system-ui, sans-serif";
    const words = `IoU ${v.iou.toFixed(3)}`, wide = ctx.measureText(words).width;
    ctx.fillText(words, 0, height + 25);
    ctx.font = "13px system-ui, sans-serif";
    ctx.fillText(`= ${v.overlap} shared / ${v.union} covered`, wide + 8, height + 24);
    ctx.canvas.dataset.iou = v.iou.toFixed(6);
    ctx.canvas.dataset.tags = JSON.stringify(places);
  },
  grab(at, s) {
    const names = s.state.active === "truth" ? ["truth", "box"] : ["box", "truth"];
    for (const name of names) {
      const [x, y, w, h] = box(s, name), near = 9;
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
  drag(from, to, s) {
    const g = s.grab;
    if (!g || !g.name) return null;
    const [x, y, w, h] = g.box, dx = to.x - g.start.x, dy = to.y - g.start.y, e = g.edges;
    if (!(e.left || e.right || e.top || e.bottom)) return moved(g.name, [x + dx, y + dy, w, h], s, false);
    const left = Math.max(0, e.left ? Math.min(x + dx, x + w) : x), top = Math.max(0, e.top ? Math.min(y + dy, y + h) : y);
    const right = e.right ? Math.max(x + w + dx, x) : x + w, bottom = e.bottom ? Math.max(y + h + dy, y) : y + h;
    return moved(g.name, [left, top, right - left, bottom - top], s, true);
  },
  key(key, shift, s) {
    if (key === " ") return { active: s.state.active === "truth" ? "detection" : "truth" };
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!step) return null;
    const name = s.state.active === "truth" ? "truth" : "box", [x, y, w, h] = box(s, name);
    const [dx, dy] = step.map((v) => 5 * v);
    return shift ? moved(name, [x, y, w + dx, h + dy], s, true) : moved(name, [x + dx, y + dy, w, h], s, false);
  },
};
