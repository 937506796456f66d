// Six pictures, dimmed where a level of the network sees something else than the chosen patch.
const CELLS = 14, CELL = 15, HEAD = 24, GAP = 8, COLUMNS = 3, SIDE = CELLS * CELL;
const corner = (i) => ({ x: (i % COLUMNS) * (SIDE + GAP), y: Math.floor(i / COLUMNS) * (HEAD + SIDE + GAP) + HEAD });
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
const heat = (s) => Uint8Array.from(atob(s.data.heat), (c) => c.charCodeAt(0));
function outlined(ctx, colour, x, y, side) {
  for (const [ink, wide] of [["#000", 4.5], [colour, 2.5]]) {
    ctx.strokeStyle = ink;
    ctx.lineWidth = wide;
    ctx.strokeRect(x, y, side, side);
  }
}
const clip = (v) => Math.min(CELLS - 1, Math.max(0, v));

return {
  size: (s) => [COLUMNS * SIDE + (COLUMNS - 1) * GAP, (s.data.names.length / COLUMNS) * (HEAD + SIDE + GAP) - GAP],
  draw(ctx, s) {
    const light = heat(s), chosen = s.data.names.indexOf(s.state.picture);
    ctx.imageSmoothingEnabled = true;
    ctx.textBaseline = "alphabetic";
    s.data.photos.forEach((url, i) => {
      const { x, y } = corner(i), image = photo(s, url), here = i === chosen;
      if (image.complete) ctx.drawImage(image, x, y, SIDE, SIDE);
      for (let r = 0; r < CELLS; r++) for (let c = 0; c < CELLS; c++) {
        const alike = light[(i * CELLS + r) * CELLS + c] / 255;
        ctx.fillStyle = `rgba(0, 0, 0, ${0.75 * (1 - alike)})`;
        ctx.fillRect(x + c * CELL, y + r * CELL, CELL, CELL);
      }
      ctx.fillStyle = s.theme.ink;
      ctx.textAlign = "left";
      ctx.font = `${here ? "bold " : ""}13px system-ui, sans-serif`;
      ctx.fillText(here ? `${s.data.names[i]}: pointed at` : s.data.names[i], x, y - 8);
      ctx.font = "13px system-ui, sans-serif";
      ctx.textAlign = "right";
      if (!here) ctx.fillText(s.data.says[i], x + SIDE, y - 8);
      const [row, col, cells] = here ? [s.state.row, s.state.col, 1] : s.data.best[i];
      outlined(ctx, here ? s.theme.here : "#fff", x + col * CELL, y + row * CELL, cells * CELL);
    });
  },
  drag(from, to, s) {
    const across = Math.min(COLUMNS - 1, Math.max(0, Math.floor(to.x / (SIDE + GAP))));
    const i = to.y < HEAD + SIDE + GAP / 2 ? across : across + COLUMNS, { x, y } = corner(i);
    return { picture: s.data.names[i], row: clip(Math.floor((to.y - y) / CELL)), col: clip(Math.floor((to.x - x) / CELL)) };
  },
  key(key, shift, s) {
    const { row, col } = s.state, names = s.data.names, step = shift ? 3 : 1;
    if (key === "ArrowRight") return { col: clip(col + step) };
    if (key === "ArrowLeft") return { col: clip(col - step) };
    if (key === "ArrowDown") return { row: clip(row + step) };
    if (key === "ArrowUp") return { row: clip(row - step) };
    if (key === " ") return { picture: names[(names.indexOf(s.state.picture) + 1) % names.length] };
    return null;
  },
};
