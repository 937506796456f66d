// The kernel lab: the photo is sent once; every change of a weight is filtered and drawn here.
const TOP = 26, LEFT = 6, SIDE = 160, GAP = 12, WIDE = 298, BAR = 14;  // SIDE: of the kernel, 3 x 3 or 5 x 5
const weights = (s) => s.data.weights.map((line, r) => line.map((w, c) => w + s.state[`edit_${r}${c}`]));
const spot = (s) => {
  const k = s.data.weights.length;
  return { row: Math.min(s.state.row, k - 1), col: Math.min(s.state.col, k - 1) };
};
const photos = new Map();
function photo(s) {
  if (!photos.has(s.data.pixels)) {
    photos.clear();
    photos.set(s.data.pixels, Uint8Array.from(atob(s.data.pixels), (c) => c.charCodeAt(0)));
  }
  return photos.get(s.data.pixels);
}
function response(s) {
  const { height, width, divisor } = s.data, pixels = photo(s), kernel = weights(s), half = (kernel.length - 1) / 2;
  const out = new Float32Array(height * width);
  kernel.forEach((line, i) => line.forEach((w, j) => {
    if (!w) return;
    for (let r = 0; r < height; r++) {
      const from = Math.min(height - 1, Math.max(0, r + i - half)) * width;
      for (let c = 0; c < width; c++) {
        const x = c + j - half;
        out[r * width + c] += (w / divisor) * pixels[from + (x < 0 ? 0 : x >= width ? width - 1 : x)];
      }
    }
  }));
  return out;
}
const canvases = new WeakMap();  // two small pictures a canvas, made once
function paint(ctx, s, which, values, colour, x, y, w, h) {
  const { height, width } = s.data, mine = canvases.get(ctx.canvas) || canvases.set(ctx.canvas, {}).get(ctx.canvas);
  const key = `${which} ${height} ${width}`;
  mine[key] ||= { image: new ImageData(width, height), other: new OffscreenCanvas(width, height) };
  const { image, other } = mine[key], out = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) out[i] = colour(values[i]);
  other.getContext("2d").putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = true;
  ctx.drawImage(other, x, y, w, h);
}
const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const greys = Array.from({ length: 256 }, (_, v) => packed([v, v, v]));
const reds = Array.from({ length: 511 }, (_, i) => packed(mix(i / 255 - 1)));  // from blue over white to red
const plainColour = (v) => greys[v <= 0 ? 0 : v >= 255 ? 255 : Math.round(v)];
const set = (s, row, col, weight) => {
  const base = s.data.weights[row][col], edit = Math.min(9, Math.max(-9, Math.round(weight - base)));
  return { [`edit_${row}${col}`]: edit, row, col };
};
const cellOf = (s) => SIDE / s.data.weights.length;
const cellAt = (p, s) => {
  const k = s.data.weights.length, row = Math.floor((p.y - TOP) / cellOf(s)), col = Math.floor((p.x - LEFT) / cellOf(s));
  return row >= 0 && col >= 0 && row < k && col < k ? { row, col } : null;
};
const shown = (s) => {
  const zoom = Math.min(WIDE / s.data.width, WIDE / s.data.height);
  return { w: Math.round(s.data.width * zoom), h: Math.round(s.data.height * zoom), y: TOP + SIDE + 32 };
};
function words(ctx, s, text, x, y, align = "left", colour = s.theme.ink) {
  ctx.font = "13px system-ui, sans-serif";
  ctx.textAlign = align;
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}
// What the colours of the answer mean: a bar with its ends named.
function scale(ctx, s, plain, most, x, y, wide) {
  for (let i = 0; i < wide; i++) {
    ctx.fillStyle = css(plain ? Array(3).fill(Math.round(255 * i / (wide - 1))) : mix(2 * i / (wide - 1) - 1));
    ctx.fillRect(x + i, y, 1.5, BAR);
  }
  ctx.strokeStyle = s.theme.grid;
  ctx.lineWidth = 1;
  ctx.strokeRect(x - 0.5, y - 0.5, wide + 1, BAR + 1);
  words(ctx, s, plain ? "0" : `−${most}`, x, y + BAR + 16);
  words(ctx, s, plain ? "127" : "0", x + wide / 2, y + BAR + 16, "center");
  words(ctx, s, plain ? "255" : `${most}`, x + wide, y + BAR + 16, "right");
}

return {
  size: (s) => [2 * LEFT + 2 * WIDE + GAP, shown(s).y + shown(s).h + 6],
  draw(ctx, s) {
    const kernel = weights(s), { row, col } = spot(s), cell = cellOf(s), { w, h, y } = shown(s);
    const limit = Math.max(1, ...kernel.flat().map(Math.abs)), right = LEFT + WIDE + GAP;
    words(ctx, s, s.data.divisor === 1 ? "Kernel" : `Kernel, divided by ${s.data.divisor}`, LEFT, 16);
    cells(ctx, s, kernel, LEFT, TOP, cell, (v) => signed(v, limit));
    framed(ctx, s, LEFT + col * cell + 1, TOP + row * cell + 1, cell - 2, cell - 2);
    const found = response(s), plain = s.state.show === s.data.plain;
    let most = 1e-6;
    for (const v of found) most = Math.max(most, v < 0 ? -v : v);
    words(ctx, s, "Photo, in grey", LEFT, y - 8);
    words(ctx, s, "The kernel's answer", right, y - 8);
    paint(ctx, s, "photo", photo(s), (v) => greys[v], LEFT, y, w, h);
    const bend = 255 / most;
    paint(ctx, s, "answer", found, plain ? plainColour : (v) => reds[Math.round(v * bend) + 255], right, y, w, h);
    words(ctx, s, plain ? "The answer's greys" : "The answer's colours", right, TOP + 76);
    scale(ctx, s, plain, Math.round(most), right, TOP + 86, WIDE);
  },
  grab: (point, s) => {
    const cell = cellAt(point, s);
    return cell && { ...cell, y: point.y, weight: weights(s)[cell.row][cell.col] };
  },
  drag(from, to, s) {
    const held = s.grab;
    return held && held.y !== undefined ? set(s, held.row, held.col, held.weight + Math.round((held.y - to.y) / 12)) : null;
  },
  key(key, shift, s) {
    const { row, col } = spot(s), n = s.data.weights.length, wrap = (v) => (v + n) % n;
    const now = weights(s)[row][col];
    if (key === "ArrowRight") return { row, col: wrap(col + 1) };
    if (key === "ArrowLeft") return { row, col: wrap(col - 1) };
    if (key === "ArrowDown") return { row: wrap(row + 1), col };
    if (key === "ArrowUp") return { row: wrap(row - 1), col };
    if (key === "-" || key === "−") return set(s, row, col, -now);
    if (key === "+") return set(s, row, col, now + 1);
    if (/^[0-9]$/.test(key)) return set(s, row, col, Number(key));
    return null;
  },
};
