// What every widget asks of its page, and gives back to it: the theme, and names for those who listen.

// "light" or "dark", as the page is: VS Code, JupyterLab and its kin, Colab, else the system's wish.
function cvlabPageTheme() {
  const classes = document.body.classList;
  if (classes.contains("vscode-light") || classes.contains("vscode-high-contrast-light")) return "light";
  if (classes.contains("vscode-dark") || classes.contains("vscode-high-contrast")) return "dark";
  const lab = document.body.dataset.jpThemeLight;
  if (lab) return lab === "false" ? "dark" : "light";
  const colab = document.documentElement.getAttribute("theme");
  if (colab) return colab === "dark" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// Call `tell` whenever the theme may have changed; returns what ends that.
function cvlabOnTheme(tell) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const page = new MutationObserver(tell);
  page.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light"] });
  page.observe(document.documentElement, { attributes: true, attributeFilter: ["theme"] });
  system.addEventListener("change", tell);
  return () => { page.disconnect(); system.removeEventListener("change", tell); };
}

// ipywidgets gives its handles no names and unrounded values: name them by their labels, and say what the page says.
function cvlabNameControls(root, title) {
  const put = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
  });
  put(root, { role: "group", "aria-label": title });
  root.querySelectorAll(".widget-slider").forEach((slider) => {
    const name = slider.querySelector(".widget-label")?.textContent.trim() || "";
    const shown = slider.querySelector(".widget-readout");
    const handles = slider.querySelectorAll(".noUi-handle");
    const texts = (shown?.textContent || "").split("–").map((text) => text.trim());
    handles.forEach((handle, i) => put(handle, {
      "aria-label": handles.length > 1 ? `${name}, ${["from", "to"][i]}` : name,
      "aria-valuetext": handles.length > 1 ? texts[i] || "" : texts[0],
    }));
    if (shown) put(shown, { role: "textbox", "aria-label": `${name}, typed` });
  });
  root.querySelectorAll(".widget-toggle-buttons").forEach((row) => {
    put(row, { role: "group", "aria-label": row.querySelector(".widget-label")?.textContent.trim() || "" });
    row.querySelectorAll("button").forEach((button) => {
      put(button, { "aria-pressed": String(button.classList.contains("mod-active")) });
    });
  });
}

// Name the controls of the widget that `el` stands in, now and after each change; returns what ends that.
function cvlabKeepNames(el, title) {
  let watch = null, ended = false;
  const begin = () => { // an element is rendered before it is put into the page
    if (ended) return;
    const root = el.closest(".cvlab-widget");
    if (!root) { requestAnimationFrame(begin); return; }
    watch = new MutationObserver(() => cvlabNameControls(root, title()));
    const attributeFilter = ["aria-valuenow", "aria-valuetext", "class"];
    watch.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter });
    cvlabNameControls(root, title());
  };
  begin();
  return () => { ended = true; watch?.disconnect(); };
}
