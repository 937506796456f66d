// One canvas for every widget that draws in the browser: sharp on dense screens, moved by pointer and keyboard,
// readable in light and dark themes. A widget gives `scene`, an object with
//   size(s) -> [width, height]            in CSS pixels
//   draw(ctx, s)                          s = {state, data, theme, width, height, grab}
//   drag(from, to, s) -> changes or null  points are {x, y} in CSS pixels; changes go into the state
//   key(key, shift, s) -> changes or null for keys the scene understands; arrows by default
//   grab(point, s) -> any                 optional: what a press takes hold of, kept in s.grab while dragging
//   tell(s) -> lines                      optional: the readout made here; Python then hears of a pause, not of a step
//   start({el, now, change})              optional: called once, to add buttons; may return what to do at the end
function cvlabTheme(el) {
  const style = getComputedStyle(el);
  const pick = (name, other) => style.getPropertyValue(name).trim() || other;
  return {
    ink: pick("--jp-ui-font-color1", style.color),
    dim: pick("--jp-ui-font-color2", style.color),
    line: pick("--jp-border-color1", "#888"),
    paper: pick("--jp-layout-color0", "transparent"),
    focus: pick("--jp-brand-color1", "#0072b2"),
    colours: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"],
  };
}

// Put lines "name: value" into the readout that Python laid out, in its style.
function cvlabTell(box, lines) {
  if (!box) return;
  const part = (text, style) => {
    const div = document.createElement("div");
    div.textContent = text;
    div.style.cssText = style;
    return div;
  };
  box.replaceChildren(...lines.flatMap((line) => {
    if ("✓○⚠".includes(line[0])) return [part(line, "grid-column:1 / -1;font-weight:600;margin-top:4px")];
    const at = line.indexOf(": ");
    if (at < 0) return [part(line, "grid-column:1 / -1")];
    return [part(line.slice(0, at + 1), "color:var(--jp-ui-font-color2, inherit)"), part(line.slice(at + 2), "")];
  }));
}

function cvlabMount(scene) {
  return {
    render({ model, el }) {
      const canvas = document.createElement("canvas");
      const readout = document.createElement("div");
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.style.cssText = "touch-action:none;border-radius:4px;outline-offset:3px;max-width:100%";
      readout.setAttribute("role", "status");
      readout.setAttribute("aria-live", "polite");
      el.style.cssText = "display:flex;flex-wrap:wrap;gap:0 20px;align-items:flex-start";
      readout.style.cssText = "flex:1 1 240px;min-width:240px";
      el.append(canvas, readout);
      let grab = null;
      let last = null;
      let later = null;

      const now = () => ({ state: model.get("state"), data: model.get("data"), theme: cvlabTheme(el), grab });
      const paint = () => {
        const s = now();
        const [width, height] = scene.size(s);
        const dense = window.devicePixelRatio || 1;
        canvas.width = Math.round(width * dense);
        canvas.height = Math.round(height * dense);
        canvas.style.width = `${width}px`;
        const ctx = canvas.getContext("2d");
        ctx.setTransform(dense, 0, 0, dense, 0, 0);
        ctx.imageSmoothingEnabled = false;
        ctx.font = "13px system-ui, sans-serif";
        scene.draw(ctx, { ...s, width, height });
        canvas.dataset.state = JSON.stringify(s.state); // for tests
      };
      const tell = () => {
        readout.innerHTML = model.get("readout");
        if (scene.tell) cvlabTell(readout.firstElementChild, scene.tell(now()));
      };
      const name = () => canvas.setAttribute("aria-label", model.get("label"));
      const change = (changes) => {
        if (!changes) return;
        model.set("state", { ...model.get("state"), ...changes });
        paint();
        if (!scene.tell) return model.save_changes();
        tell();
        clearTimeout(later);
        later = setTimeout(() => model.save_changes(), 300);
      };
      const point = (event) => {
        const box = canvas.getBoundingClientRect();
        const scale = canvas.width / (window.devicePixelRatio || 1) / box.width;
        return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        canvas.focus();
        last = point(event);
        grab = scene.grab ? scene.grab(last, now()) : true;
        change(scene.drag(last, last, now()));
      });
      canvas.addEventListener("pointermove", (event) => {
        if (grab === null) return;
        const to = point(event);
        change(scene.drag(last, to, now()));
        last = to;
      });
      const release = () => { grab = null; paint(); };
      canvas.addEventListener("pointerup", release);
      canvas.addEventListener("pointercancel", release);
      canvas.addEventListener("keydown", (event) => {
        const changes = scene.key ? scene.key(event.key, event.shiftKey, now()) : null;
        if (!changes) return;
        event.preventDefault();
        event.stopPropagation();
        change(changes);
      });
      canvas.addEventListener("focus", () => { canvas.style.outline = `2px solid ${cvlabTheme(el).focus}`; });
      canvas.addEventListener("blur", () => { canvas.style.outline = "none"; });
      const themes = new MutationObserver(paint);
      themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "class"] });
      model.on("change:state change:data", () => { paint(); if (scene.tell) tell(); });
      model.on("change:readout", tell);
      model.on("change:label", name);
      tell();
      name();
      requestAnimationFrame(paint); // once it is in the page, so that the theme's colours are known
      const stop = scene.start ? scene.start({ el, now, change }) : null;
      return () => { themes.disconnect(); clearTimeout(later); if (stop) stop(); };
    },
  };
}
