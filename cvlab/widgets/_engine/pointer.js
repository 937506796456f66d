// One canvas for every widget that draws in the browser: sharp on dense screens, moved by pointer and keyboard,
// at home on a light and on a dark page. A widget gives `scene`, an object with
//   size(s) -> [width, height]            in CSS pixels; the same for every state, so that the page stands still
//   draw(ctx, s)                          s = {state, data, theme, width, height, grab, repaint}
//   drag(from, to, s) -> changes or null  points are {x, y} in CSS pixels; changes go into the state
//   key(key, shift, s) -> changes or null for keys the scene understands; arrows by default
//   grab(point, s) -> any                 optional: what a press takes hold of, kept in s.grab while dragging
//   tell(s) -> lines                      optional: the readout made here; Python then hears of a pause, not of a step
//   start({el, now, change})              optional: called once, to add buttons; may return what to do at the end
// Events only note what happened; a frame of the browser then moves, draws and tells once.

// The colours of the page's theme, by the names of Palette in palette.py, and where the learner is.
const cvlabTheme = () => {
  const name = cvlabPageTheme(), colours = cvlabPalettes[name];
  return { ...colours, dark: name === "dark", here: colours.orange };
};

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
      const make = (kind, name) => el.appendChild(Object.assign(document.createElement(kind), { className: name }));
      el.classList.add("cvlab-stage");
      const canvas = make("canvas", "cvlab-canvas"), readout = make("div", "cvlab-told"), hint = make("div", "cvlab-hint");
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      readout.setAttribute("role", "status");
      readout.style.setProperty("--lines", model.get("lines"));
      hint.textContent = model.get("hint");
      let grab = null, last = null, to = null, frame = 0, unsaved = false, later = null, theme = null;
      let mine = null; // the state after the newest move, until it is on its way to Python

      const save = () => { mine = null; model.save_changes(); };

      const paint = () => { frame ||= requestAnimationFrame(step); };
      const now = () => ({ state: model.get("state"), data: model.get("data"), theme: (theme ??= cvlabTheme()), grab, repaint: paint });
      const draw = () => {
        const s = now(), [width, height] = scene.size(s), dense = window.devicePixelRatio || 1;
        const across = Math.round(width * dense), down = Math.round(height * dense);
        if (canvas.width !== across || canvas.height !== down) {
          [canvas.width, canvas.height] = [across, down];
          canvas.style.width = `${width}px`;
        }
        const ctx = canvas.getContext("2d");
        ctx.save();
        ctx.clearRect(0, 0, across, down);
        ctx.scale(dense, dense);
        ctx.imageSmoothingEnabled = false;
        ctx.font = "13px system-ui, sans-serif";
        scene.draw(ctx, { ...s, width, height });
        ctx.restore();
        canvas.dataset.state = JSON.stringify(s.state); // for tests
      };
      const tell = () => {
        readout.innerHTML = model.get("readout");
        const box = readout.firstElementChild;
        if (scene.tell) cvlabTell(box, scene.tell(now()));
        box?.removeAttribute("role"); // the box around it is the one that stays in the page
        const said = scene.tell ? scene.tell(now()) : model.get("said").split("\n");
        canvas.setAttribute("aria-label", `${model.get("label")}. ${said.join("; ")}. ${model.get("hint")}`);
      };
      const step = () => {
        frame = 0;
        if (grab !== null && to) {
          const here = point(to);
          to = null;
          change(scene.drag(last, here, now()));
          last = here;
        }
        draw();
        if (!unsaved) return;
        unsaved = false;
        if (!scene.tell) return save();
        tell();
        clearTimeout(later);
        later = setTimeout(() => { later = null; save(); }, 300);
      };
      const change = (changes) => {
        if (!changes) return;
        unsaved = true;
        mine = { ...model.get("state"), ...changes };
        model.set("state", mine);
        model.set("based", model.get("turn")); // what Python had said before this move
        paint();
      };
      const point = ({ x, y }) => {
        const box = canvas.getBoundingClientRect();
        const scale = canvas.width / (window.devicePixelRatio || 1) / box.width;
        return { x: (x - box.left) * scale, y: (y - box.top) * scale };
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        canvas.focus();
        last = point({ x: event.clientX, y: event.clientY });
        grab = scene.grab ? scene.grab(last, now()) : true;
        change(scene.drag(last, last, now()));
      });
      canvas.addEventListener("pointermove", (event) => {
        if (grab === null) return;
        to = { x: event.clientX, y: event.clientY };
        paint();
      });
      const release = () => {
        if (frame) { cancelAnimationFrame(frame); step(); }
        grab = to = null;
        paint();
      };
      canvas.addEventListener("pointerup", release);
      canvas.addEventListener("pointercancel", release);
      canvas.addEventListener("keydown", (event) => {
        const changes = scene.key ? scene.key(event.key, event.shiftKey, now()) : null;
        if (!changes) return;
        event.preventDefault();
        event.stopPropagation();
        change(changes);
      });
      canvas.addEventListener("blur", (event) => { // Python hears of it before another control moves: else it would be put back
        if (el.contains(event.relatedTarget)) return; // a button of the scene's own: the move goes on
        if (frame) { cancelAnimationFrame(frame); step(); }
        if (later === null) return;
        clearTimeout(later);
        later = null;
        save();
      });
      const restyle = () => {
        theme = null;
        paint();
        if (model.get("theme") === cvlabPageTheme()) return;
        model.set("theme", cvlabPageTheme()); // Python's figures want to know it too
        model.save_changes();
      };
      const ends = [cvlabOnTheme(restyle), cvlabKeepNames(el, () => model.get("title"))];
      model.on("change:turn", () => { clearTimeout(later); later = mine = null; }); // Python's word counts
      model.on("change:state", () => { // the echo of an earlier move: the newest one counts
        if (mine && model.get("turn") === model.get("based")) model.set("state", mine);
      });
      model.on("change:state change:data", () => { paint(); if (scene.tell && !unsaved) tell(); });
      model.on("change:readout change:label", tell);
      tell();
      restyle();
      const stop = scene.start ? scene.start({ el, now, change }) : null;
      return () => { ends.forEach((end) => end()); cancelAnimationFrame(frame); clearTimeout(later); if (stop) stop(); };
    },
  };
}
