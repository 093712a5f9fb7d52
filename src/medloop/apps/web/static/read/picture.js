// A photograph with pan, zoom, mask, heat map, boxes and points. The same interface as volume.js:
// places are [x, y, 0] pixels.

import { el } from "../correct/dom.js";
import { boundsOf } from "../correct/region.js";
import { gray } from "../correct/threshold.js";
import { t } from "../texts.js";
import { Frame } from "./frame.js";
import { listen } from "./gestures.js";
import { Hands } from "./hands.js";
import { drawBox, drawBrush, drawDot, drawLength, drawRing } from "./marks.js";
import { colorsOf } from "./slices.js";

const FINDING = "#ffe14a";
const CURRENT = "#7fd4ff";

/** Show a scene's photograph in an element; returns the view. */
export function createPictureView(host, scene, urls) {
  return new PictureView(host, scene, urls);
}

class PictureView extends EventTarget {
  #labels = null;
  #gray = null;
  #waiting = 0;
  #pointer = null;
  #panning = null;

  constructor(host, scene, urls) {
    super();
    this.scene = scene;
    this.size = scene.size;
    this.spacing = scene.spacing;
    this.frame = new Frame(scene.size[0], scene.size[1], [1, 1]);
    this.overlays = {
      labels: { visible: true, opacity: 0.45 },
      findings: { visible: true, opacity: 1 },
      heat: { visible: false, opacity: 0.6 },
    };
    this.hands = new Hands(scene.spacing, () => this.redraw());
    this.places = scene.findings.filter((each) => each.index);
    this.current = scene.main;
    this.light = { brightness: 1, contrast: 1 };
    this.mask = null;
    this.canvas = el("canvas", { class: "read-canvas", tabindex: "0", role: "img", "aria-label": t("read.js.picture") });
    const pane = el("div", { class: "read-pane active picture" }, this.canvas);
    this.element = el("div", { class: "read-planes", "data-layout": "picture" }, pane);
    host.replaceChildren(this.element);
    this.picture = urls.preview ?? null;
    this.done = this.#load(urls);
    listen(this.canvas, this.#deeds());
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
  }

  /** Gray values of the pixels, for thresholds; null until the photograph is there. */
  get image() {
    if (!this.#gray && this.whole) {
      const copy = el("canvas", { width: this.size[0], height: this.size[1] });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(this.whole, 0, 0);
      this.#gray = gray(context.getImageData(0, 0, this.size[0], this.size[1]).data);
    }
    return this.#gray;
  }

  slice() {
    return { axis: 2, index: 0 };
  }

  setMask(mask, segments) {
    this.mask = { ...mask, spacing: this.spacing, changed: (box) => this.#maskChanged(box) };
    const canvas = el("canvas", { width: this.size[0], height: this.size[1] });
    const pixels = new ImageData(this.size[0], this.size[1]);
    this.#labels = { canvas, context: canvas.getContext("2d"), pixels, values: new Uint32Array(pixels.data.buffer) };
    this.setSegments(segments);
  }

  setSegments(segments, hidden = new Set()) {
    this.colors = colorsOf(segments, hidden);
    if (this.mask) this.#maskChanged([[0, 0, 0], [...this.size]]);
  }

  setPlaces(places) {
    this.places = places;
    this.redraw();
  }

  goTo(place) {
    const index = this.indexOf(place);
    if (!index) return false;
    this.current = place.key ?? this.current;
    if (this.frame.zoom < 2) this.frame.enlarge(2.5 / this.frame.zoom, this.frame.toScreen(index));
    this.frame.center(index);
    this.redraw();
    return true;
  }

  indexOf(place) {
    if (place.index) return place.index;
    if (place.center_px) return [...place.center_px, 0];
    if (place.box?.low) return [0, 1].map((n) => (place.box.low[n] + place.box.high[n]) / 2).concat(0);
    const known = this.places.find((each) => each.key === place.key);
    if (known) return known.index;
    const box = place.segment && this.mask ? boundsOf(this.mask, place.segment) : null;
    return box ? [(box[0][0] + box[1][0] - 1) / 2, (box[0][1] + box[1][1] - 1) / 2, 0] : null;
  }

  onPick(callback) {
    return this.hands.onPick((place) => callback({ ...place, index: place.index.map(Math.round), px: place.index.slice(0, 2) }));
  }

  setTool(name, handlers) {
    this.hands.take(name, handlers);
    this.element.classList.toggle("in-hand", Boolean(name));
    this.dispatchEvent(new Event("tool"));
  }

  setCursor(radius) {
    this.hands.cursor = radius;
    this.redraw();
  }

  setOverlay(name, state) {
    Object.assign(this.overlays[name], state);
    this.redraw();
    this.dispatchEvent(new Event("overlay"));
  }

  /** Brightness and contrast, 1 as it was taken. */
  setLight(light) {
    Object.assign(this.light, light);
    this.canvas.dataset.light = `${this.light.brightness} ${this.light.contrast}`;
    this.redraw();
  }

  scroll() {}

  fit() {
    this.frame.fit();
    this.redraw();
  }

  redraw() {
    if (this.#waiting) return;
    this.#waiting = requestAnimationFrame(() => {
      this.#waiting = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas, frame, overlays } = this;
    const ratio = canvas.width / Math.max(canvas.clientWidth, 1);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, ...frame.room);
    const shown = this.whole ?? this.picture;
    context.imageSmoothingEnabled = frame.scale < 4;
    context.imageSmoothingQuality = "high";
    const { brightness, contrast } = this.light;
    if (brightness !== 1 || contrast !== 1) context.filter = `brightness(${brightness}) contrast(${contrast})`;
    if (shown) context.drawImage(shown, ...frame.place);
    context.filter = "none";
    if (this.heat && overlays.heat.visible) this.#over(context, this.heat, overlays.heat.opacity);
    context.imageSmoothingEnabled = false;
    if (this.#labels && overlays.labels.visible) this.#over(context, this.#labels.canvas, overlays.labels.opacity);
    this.#drawMarks(context);
  }

  #over(context, image, opacity) {
    context.globalAlpha = opacity;
    context.drawImage(image, ...this.frame.place);
    context.globalAlpha = 1;
  }

  #drawMarks(context) {
    const at = (index) => this.frame.toScreen(index);
    for (const { key, index, box } of this.overlays.findings.visible ? this.places : []) {
      const isCurrent = key === this.current;
      const color = isCurrent ? CURRENT : FINDING;
      if (box) drawBox(context, at(box[0]), at(box[1]), key, color, isCurrent);
      else drawRing(context, at(index), [14, 14], key, color, isCurrent);
    }
    for (const { index, isOutside } of this.hands.dots) drawDot(context, at(index), isOutside);
    for (const length of this.hands.lengths) {
      const told = `${Math.round(this.hands.millimetres(length))} px`;
      drawLength(context, at(length.from), at(length.to), told, "#9dff8a");
    }
    if (this.hands.cursor && this.#pointer) {
      const radius = Math.max(this.hands.cursor, 0.5) * this.frame.scale;
      drawBrush(context, at(this.#placeAt(this.#pointer).map(Math.round)), [radius, radius], "#fff");
    }
  }

  #indexAt(point) {
    return this.#placeAt(point).map((n, axis) => Math.max(0, Math.min(this.size[axis] - 1, n)));
  }

  /** Where a place on the canvas is, in pixels; it may lie outside of the picture. */
  #placeAt(point) {
    return [...this.frame.toPicture(point), 0];
  }

  #deeds() {
    return {
      takesRight: () => this.hands.takesRight,
      act: (phase, point, event) => {
        const place = { index: this.#indexAt(point), at: this.#placeAt(point), axis: 2, slice: 0, mm: null };
        if (this.hands.act(phase, place, event)) return;
        if (phase === "move" && this.#panning) this.frame.move(point[0] - this.#panning[0], point[1] - this.#panning[1]);
        this.#panning = phase === "up" ? null : point;
        this.redraw();
      },
      scroll: null,
      enlarge: (by, point) => {
        this.frame.enlarge(by, point);
        this.redraw();
      },
      move: (dx, dy) => {
        this.frame.move(dx, dy);
        this.redraw();
      },
      window: (dx, dy) => {
        const clip = (value) => Math.max(0.2, Math.min(4, value));
        this.setLight({ brightness: clip(this.light.brightness - dy / 200), contrast: clip(this.light.contrast + dx / 200) });
      },
      hover: (point) => {
        this.#pointer = point;
        if (this.hands.cursor) this.redraw();
      },
    };
  }

  #maskChanged([low, high]) {
    const { values, context, pixels } = this.#labels;
    const [width] = this.size;
    for (let y = low[1]; y < high[1]; y += 1) {
      for (let at = low[0] + width * y; at < high[0] + width * y; at += 1) {
        const label = this.mask.data[at];
        values[at] = label ? (this.colors[label] ?? 0xff00ffff) : 0;
      }
    }
    context.putImageData(pixels, 0, 0, low[0], low[1], high[0] - low[0], high[1] - low[1]);
    this.redraw();
  }

  async #load(urls) {
    this.whole = await picture(urls.picture);
    this.redraw();
    this.dispatchEvent(new CustomEvent("arrived", { detail: { share: 1 } }));
    if (this.scene.heat.length) this.heat = await picture(urls.heat);
    this.redraw();
    return this;
  }

  #resize() {
    const { canvas } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
    canvas.height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
    this.frame.resize(canvas.clientWidth, canvas.clientHeight);
    this.draw();
  }
}

async function picture(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
