// The bar over the images and the layers beside them.

import { button, el, field, select } from "../correct/dom.js";
import { t } from "../texts.js";
import { MEASURE } from "./hands.js";
import { heatLegend } from "./heat.js";
import { LAYOUTS } from "./volume.js";

/** Show the bar of a view; returns commands for keys. */
export function showBar(host, view) {
  const isVolume = view.scene.kind === "volume";
  const measure = button(t("read.js.measure"), t("read.js.measure_title"), () => toggleMeasure(view), { "aria-pressed": "false" });
  const forget = button(t("read.js.forget"), t("read.js.forget"), () => view.hands.forgetLengths(), { class: "quiet", hidden: true });
  const fit = button(t("read.js.fit"), t("read.js.fit_title"), () => view.fit(), { class: "quiet" });
  view.addEventListener("tool", () => measure.setAttribute("aria-pressed", String(view.hands.tool === MEASURE)));
  view.hands.addEventListener("lengths", () => (forget.hidden = !view.hands.lengths.length));
  const parts = isVolume ? [layouts(view), windows(view), slabs(view)] : [light(view)];
  host.append(...parts, el("div", { class: "read-group" }, measure, forget, fit), keys());
  return {
    measure: () => toggleMeasure(view),
    window: (n) => isVolume && view.scene.windows[n] && view.setWindow(view.scene.windows[n]),
    layout: () => isVolume && view.setLayout(LAYOUTS[(LAYOUTS.indexOf(view.layout) + 1) % LAYOUTS.length]),
  };
}

function toggleMeasure(view) {
  view.setTool(view.hands.tool === MEASURE ? null : MEASURE);
}

function layouts(view) {
  const buttons = LAYOUTS.map((name) =>
    button(t(`read.js.${name}`), t(`read.js.${name}`), () => view.setLayout(name), { "data-layout": name }),
  );
  const mark = () => {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset.layout === view.layout));
  };
  view.addEventListener("layout", mark);
  mark();
  return el("div", { class: "read-group", role: "group", "aria-label": t("read.js.layout") }, ...buttons);
}

function windows(view) {
  const buttons = view.scene.windows.map((each, n) =>
    button(t(`read.js.window_${each.key}`), `${t(`read.js.window_${each.key}`)} (${n + 1})`, () => view.setWindow(each), { "data-window": each.key }),
  );
  const mark = () => {
    const { center, width } = view.window;
    view.scene.windows.forEach((each, n) => {
      buttons[n].setAttribute("aria-pressed", String(each.center === center && each.width === width));
    });
  };
  view.addEventListener("window", mark);
  mark();
  return el("div", { class: "read-group", role: "group", "aria-label": t("read.js.window") }, ...buttons);
}

function slabs(view) {
  const thick = select(
    [0, 5, 10, 20, 40].map((mm) => ({ value: String(mm), label: mm ? `${mm} mm` : t("read.js.slab_none") })),
    "0",
    { "aria-label": t("read.js.slab"), onchange: (event) => view.setSlab({ mm: Number(event.target.value) }) },
  );
  const mode = select(
    ["max", "min", "mean"].map((value) => ({ value, label: t(`read.js.slab_${value}`) })),
    "max",
    { "aria-label": t("read.js.slab_how"), onchange: (event) => view.setSlab({ mode: event.target.value }) },
  );
  return el("div", { class: "read-group" }, field(t("read.js.slab"), thick, { class: "field inline" }), mode);
}

function light(view) {
  const slider = (name) =>
    field(
      t(`read.js.${name}`),
      el("input", {
        type: "range", min: "0.3", max: "3", step: "0.05", value: "1",
        oninput: (event) => view.setLight({ [name]: Number(event.target.value) }),
      }),
      { class: "field inline" },
    );
  return el("div", { class: "read-group" }, slider("brightness"), slider("contrast"));
}

function keys() {
  const lines = ["key_slice", "key_window", "key_layout", "key_mouse", "key_touch", "key_hide"];
  return el(
    "details",
    { class: "menu read-keys" },
    el("summary", {}, t("read.js.keys")),
    el("ul", { class: "menu-body" }, ...lines.map((line) => el("li", {}, t(`read.js.${line}`)))),
  );
}

/** Show what lies over the image, each with its opacity; returns what hides all and brings back. */
export function showLayers(host, view, segments) {
  let hidden = null;
  const names = Object.keys(view.overlays).filter((name) => name !== "heat" || view.scene.heat.length);
  const rows = names.flatMap((name) => (name === "heat" ? [layer(view, name), heatLegend()] : [layer(view, name)]));
  const list = el("ul", { class: "read-segments" });
  host.append(el("details", { open: true }, el("summary", {}, t("read.js.layers")), ...rows, list));
  const off = new Set();
  const draw = (now) => {
    list.replaceChildren(
      ...now.map((segment) => {
        const box = el("input", {
          type: "checkbox",
          checked: !off.has(segment.number),
          onchange: (event) => {
            if (event.target.checked) off.delete(segment.number);
            else off.add(segment.number);
            view.setSegments(now, off);
          },
        });
        return el("li", {}, el("label", {}, box, swatch(segment.color), segment.label ?? segment.name));
      }),
    );
    view.setSegments(now, off);
  };
  draw(segments);
  return {
    segments: draw,
    hide: () => {
      const before = hidden;
      hidden = before ? null : Object.fromEntries(names.map((name) => [name, view.overlays[name].visible]));
      for (const name of names) view.setOverlay(name, { visible: before ? before[name] : false });
    },
  };
}

function layer(view, name) {
  const title = t(`read.js.layer_${name}`);
  const box = el("input", { type: "checkbox", "data-layer": name, onchange: () => view.setOverlay(name, { visible: box.checked }) });
  const opacity = el("input", {
    type: "range", min: "0", max: "1", step: "0.05", "data-opacity": name, "aria-label": t("read.js.opacity", { name: title }),
    oninput: () => view.setOverlay(name, { opacity: Number(opacity.value), visible: true }),
  });
  const mark = () => {
    box.checked = view.overlays[name].visible;
    opacity.value = String(view.overlays[name].opacity);
  };
  view.addEventListener("overlay", mark);
  mark();
  const hasOpacity = name === "labels" || name === "heat";
  return el("div", { class: "read-layer" }, el("label", {}, box, title), hasOpacity ? opacity : null);
}

/** A patch of color: SVG, because styles in elements are not allowed. */
function swatch(color) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rect = document.createElementNS(space, "rect");
  for (const [key, value] of Object.entries({ width: "12", height: "12", "aria-hidden": "true" })) svg.setAttribute(key, value);
  for (const [key, value] of Object.entries({ width: "12", height: "12", rx: "2", fill: color })) rect.setAttribute(key, value);
  svg.append(rect);
  return svg;
}
