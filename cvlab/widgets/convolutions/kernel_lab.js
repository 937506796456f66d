// The kernel lab: the photo is sent once; every change of a weight is filtered and drawn here.
const TOP = 26, LEFT = 8, CELL = 42, GAP = 18;
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
function paint(ctx, s, values, colour, x, y) {
  const { height, width } = s.data, image = new ImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    const [r, g, b] = colour(values[i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  const other = new OffscreenCanvas(width, height);
  other.getContext("2d").putImageData(image, 0, 0);
  ctx.drawImage(other, x, y);
}
const set = (s, row, col, weight) => {
  const base = s.data.weights[row][col], edit = Math.min(9, Math.max(-9, Math.round(weight - base)));
  return { [`edit_${row}${col}`]: edit, row, col };
};
const left = (s) => LEFT + s.data.weights.length * CELL + GAP;
const cellAt = (p, s) => {
  const k = s.data.weights.length, row = Math.floor((p.y - TOP) / CELL), col = Math.floor((p.x - LEFT) / CELL);
  return row >= 0 && col >= 0 && row < k && col < k ? { row, col } : null;
};

return {
  size: (s) => [left(s) + 2 * s.data.width + GAP + 8, TOP + Math.max(s.data.height, s.data.weights.length * CELL + 40) + 8],
  draw(ctx, s) {
    const kernel = weights(s), k = kernel.length, { row, col } = spot(s);
    const limit = Math.max(1, ...kernel.flat().map(Math.abs));
    ctx.fillStyle = s.theme.ink;
    ctx.textAlign = "left";
    ctx.fillText(s.data.divisor === 1 ? "Kernel" : `Kernel, divided by ${s.data.divisor}`, LEFT, 16);
    ctx.fillText("Photo", left(s), 16);
    kernel.forEach((line, r) => line.forEach((w, c) => {
      const rgb = signed(w, limit);
      ctx.fillStyle = css(rgb);
      ctx.fillRect(LEFT + c * CELL + 1, TOP + r * CELL + 1, CELL - 2, CELL - 2);
      ctx.fillStyle = inkOn(rgb);
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(write(w), LEFT + (c + 0.5) * CELL, TOP + (r + 0.5) * CELL);
    }));
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    ctx.lineWidth = 3;
    ctx.strokeStyle = s.theme.colours[4];
    ctx.strokeRect(LEFT + col * CELL + 2, TOP + row * CELL + 2, CELL - 4, CELL - 4);
    ctx.fillStyle = s.theme.dim;
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillText("drag ↕ or type 0–9, −", LEFT, TOP + k * CELL + 16);
    const x = left(s), found = response(s);
    let most = 1e-6;
    for (const v of found) most = Math.max(most, Math.abs(v));
    const plain = s.state.show === s.data.plain, grey3 = (v) => { const g = Math.min(255, Math.max(0, Math.round(v))); return [g, g, g]; };
    paint(ctx, s, photo(s), grey3, x, TOP);
    paint(ctx, s, found, plain ? grey3 : (v) => signed(v, most), x + s.data.width + GAP, TOP);
    ctx.fillStyle = s.theme.ink;
    ctx.font = "13px system-ui, sans-serif";
    const most3 = Math.round(most);
    ctx.fillText(plain ? "Answer, 0 black to 255 white" : `Answer, −${most3} blue, 0 white, ${most3} red`, x + s.data.width + GAP, 16);
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
