// A picture of 12 x 12 patches; beside it one grey copy a head, coloured where that head looks from the framed patch.
const N = 12, BIG = 27, SMALL = 12, TOP = 24, GAP = 20, WIDE = BIG * N, LEFT = WIDE + GAP, TINY = SMALL * N, VEIL = 0.8;
const photos = {};
const keep = (v) => Math.min(N - 1, Math.max(0, v));
function photo(ctx, s, url, x, y, side) {
  let image = photos[url];
  if (!image) {
    image = photos[url] = new Image();
    image.src = url;
  }
  ctx.imageSmoothingEnabled = true;
  if (image.complete) ctx.drawImage(image, x, y, side, side);
  else image.addEventListener("load", s.repaint, { once: true });
}
function words(ctx, s, text, x, y) {
  ctx.font = "13px system-ui, sans-serif";
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = s.theme.ink;
  ctx.fillText(text, x, y);
}
const at = (p) => ({ row: keep(Math.floor((p.y - TOP) / BIG)), col: keep(Math.floor(p.x / BIG)) });
const inside = (p) => p.x >= 0 && p.y >= TOP && p.x < WIDE && p.y < TOP + WIDE;

return {
  size: () => [LEFT + 2 * TINY + 12, Math.max(TOP + WIDE, 2 * (TOP + TINY) + 12)],
  draw(ctx, s) {
    const { row, col, asks } = s.state;
    words(ctx, s, "the picture, 12 × 12 patches", 0, TOP - 8);
    photo(ctx, s, s.data.photo, 0, TOP, WIDE);
    ctx.strokeStyle = "#ffffff50";
    ctx.lineWidth = 1;
    for (let k = 1; k < N; k++) {
      ctx.strokeRect(k * BIG, TOP, 0, WIDE);
      ctx.strokeRect(0, TOP + k * BIG, WIDE, 0);
    }
    if (asks === "patch") framed(ctx, s, col * BIG, TOP + row * BIG, BIG, BIG);
    s.data.strength.forEach((strength, head) => {
      const x = LEFT + (head % 2) * (TINY + 12), y = Math.floor(head / 2) * (TOP + TINY + 12) + TOP;
      words(ctx, s, `head ${head + 1}: ${s.data.percent[head]} % thing`, x, y - 8);
      photo(ctx, s, s.data.gray, x, y, TINY);
      ctx.fillStyle = s.data.colors[head];
      strength.forEach((strong, place) => {
        ctx.globalAlpha = VEIL * strong;
        ctx.fillRect(x + (place % N) * SMALL, y + Math.floor(place / N) * SMALL, SMALL, SMALL);
      });
      ctx.globalAlpha = 1;
      if (asks === "patch") framed(ctx, s, x + col * SMALL, y + row * SMALL, SMALL, SMALL);
    });
  },
  grab: (p) => ({ off: !inside(p) }),
  drag: (from, to, s) => (s.grab && !s.grab.off ? { ...at(to), asks: "patch" } : null),
  key(key, shift, s) {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    return by ? { row: keep(s.state.row + by[0]), col: keep(s.state.col + by[1]), asks: "patch" } : null;
  },
};
