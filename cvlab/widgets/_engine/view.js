// One picture made by Python: its bytes are replaced in place, and Python hears which theme the page has.
export default {
  render({ model, el }) {
    const img = document.createElement("img");
    img.className = "widget-image";
    img.decoding = "sync";
    let shown = null;
    const show = () => {
      const before = shown;
      shown = URL.createObjectURL(new Blob([model.get("value")], { type: `image/${model.get("format")}` }));
      img.onload = () => { if (before) URL.revokeObjectURL(before); };
      img.src = shown;
    };
    const measure = () => {
      const [width, height] = [model.get("width"), model.get("height")];
      img.style.cssText = `display:block;width:100%;height:auto;aspect-ratio:${width} / ${height}`;
      recolour();
    };
    const recolour = () => {
      const turn = model.get("inverts") && cvlabPageTheme() === "dark";
      img.style.filter = turn ? "invert(0.9333) hue-rotate(180deg)" : "none";
    };
    const name = () => { img.alt = model.get("alt"); };
    const theme = () => {
      recolour();
      if (model.get("inverts") || model.get("theme") === cvlabPageTheme()) return;
      model.set("theme", cvlabPageTheme());
      model.save_changes();
    };
    model.on("change:value", show);
    model.on("change:width change:height", measure);
    model.on("change:alt", name);
    el.append(img);
    show();
    measure();
    name();
    theme();
    const ends = [cvlabOnTheme(theme), cvlabKeepNames(el, () => model.get("title"))];
    return () => { ends.forEach((end) => end()); URL.revokeObjectURL(shown); };
  },
};
