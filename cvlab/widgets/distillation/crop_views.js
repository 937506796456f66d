// A crop over a picture, and four whole pictures with the crop's similarity to each.
const SIDE = 192, SEEN = 96, TOP = 24, GAP = 16, LEAST = 32, WIDE = 288, THUMB = 64, BAR = 180;
const RIGHT = WIDE + SEEN + 2 * GAP, ZOOM = WIDE / SIDE;
const loaded = new Map();
function photo(s, url) {
  if (!loaded.has(url)) {
    const image = new Image();
    image.onload = s.repaint;
    image.src = url;
    loaded.set(url, image);
  }
  return loaded.get(url);
}
const keep = (v, most) => Math.min(most, Math.max(0, Math.round(v)));
// The crop as it is drawn: a large one leaves less room than its place may ask for.
const corner = ({ x, y, size }) => ({ x: Math.min(x, SIDE - size), y: Math.min(y, SIDE - size) });
const put = (size, x, y) => ({ size, x: keep(x, SIDE - Math.max(size, LEAST)), y: keep(y, SIDE - Math.max(size, LEAST)) });

return {
  size: () => [RIGHT + THUMB + 12 + BAR, TOP + WIDE + 8],
  draw(ctx, s) {
    const { size } = s.state, { x, y } = corner(s.state), { ink, grid, prediction } = s.theme;
    ctx.imageSmoothingEnabled = true;
    ctx.textBaseline = "alphabetic";
    ctx.textAlign = "left";
    ctx.fillStyle = ink;
    ctx.fillText("The teacher sees all of this", 0, 16);
    ctx.fillText("The student", WIDE + GAP, 16);
    ctx.fillText("Similarity of the crop to", RIGHT, 16);
    s.data.photos.forEach((url, k) => {
      const image = photo(s, url), top = TOP + k * (THUMB + 10), left = RIGHT + THUMB + 12;
      if (image.complete) {
        if (k === 0) {
          ctx.drawImage(image, 0, TOP, WIDE, WIDE);
          ctx.drawImage(image, x, y, size, size, WIDE + GAP, TOP, SEEN, SEEN);
        }
        ctx.drawImage(image, RIGHT, top, THUMB, THUMB);
      }
      ctx.fillStyle = ink;
      ctx.fillText(`${s.data.names[k]}: ${s.data.alike[k].toFixed(2).replace("-", "−")}`, left, top + 20);
      ctx.fillStyle = grid;
      ctx.fillRect(left, top + 32, BAR, 14);
      ctx.fillStyle = prediction;
      ctx.fillRect(left, top + 32, BAR * Math.max(0, s.data.alike[k]), 14);
    });
    framed(ctx, s, x * ZOOM, TOP + y * ZOOM, size * ZOOM, size * ZOOM);
  },
  // Inside the crop a press takes hold of it; beside it, the crop comes to the pointer.
  grab(p, s) {
    const { size } = s.state, { x, y } = corner(s.state), at = { x: p.x / ZOOM, y: (p.y - TOP) / ZOOM };
    if (at.x > SIDE || at.y < 0 || at.y > SIDE) return { off: true };
    const inside = at.x >= x && at.x <= x + size && at.y >= y && at.y <= y + size;
    return inside ? { x: at.x - x, y: at.y - y } : { x: size / 2, y: size / 2 };
  },
  drag(from, to, s) {
    if (!s.grab || s.grab.off) return null;
    return put(s.state.size, to.x / ZOOM - s.grab.x, (to.y - TOP) / ZOOM - s.grab.y);
  },
  key(key, shift, s) {
    const by = { ArrowUp: [0, -4], ArrowDown: [0, 4], ArrowLeft: [-4, 0], ArrowRight: [4, 0] }[key];
    if (!by) return null;
    const { size } = s.state, { x, y } = corner(s.state);
    if (!shift) return put(size, x + by[0], y + by[1]);
    if (!by[1]) return null;
    return put(Math.min(SIDE, Math.max(LEAST, size - by[1])), x, y);
  },
};
