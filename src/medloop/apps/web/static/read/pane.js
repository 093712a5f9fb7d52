// One plane of a volume on a canvas: the slice, the mask over it, marks over both.

import { el } from "../correct/dom.js";
import { t } from "../texts.js";
import { Frame } from "./frame.js";
import { listen } from "./gestures.js";
import { drawHeat } from "./heat.js";
import { drawBox, drawBrush, drawCross, drawDot, drawLength, drawRing, drawScale, drawText } from "./marks.js";
import { drawLabels, drawSlice, pixels, PLANES } from "./slices.js";

// Drawn by the processor: slices are new pixels each time, and would go to a graphics card first.
const PLAIN = { alpha: true, willReadFrequently: true };
const FINDING = "#ffd54a";
const CURRENT = "#7fd4ff";
const QUIET = "rgb(255 255 255 / 82%)";
const CROSS = "rgb(120 200 255 / 55%)";

export class Pane {
  #gray;
  #labels;
  #heat = null;
  #drawn = "";
  #labeled = "";
  #heated = "";
  #hasLabels = false;
  #hasHeat = false;
  #pointer = null;
  #waiting = 0;

  constructor(view, name) {
    this.view = view;
    this.name = name;
    this.plane = PLANES[name];
    const { u, v, axis } = this.plane;
    const [columns, rows] = pixels(view.size, this.plane);
    this.frame = new Frame(columns, rows, [view.spacing[u], view.spacing[v]]);
    this.#gray = surface(columns, rows);
    this.#labels = surface(columns, rows);
    const title = t(`read.js.${name}`);
    this.canvas = el("canvas", { class: "read-canvas", tabindex: "0", role: "img", "aria-label": title });
    this.slider = el("input", {
      type: "range",
      class: "read-slider",
      min: "0",
      max: String(view.size[axis] - 1),
      value: "0",
      "aria-label": t("read.js.slice_of", { plane: title }),
      oninput: () => view.setSlice(axis, Number(this.slider.value), name),
    });
    this.element = el("div", { class: `read-pane ${name}`, "data-plane": name }, this.canvas, this.slider);
    this.canvas.addEventListener("focus", () => view.setActive(name));
    this.canvas.addEventListener("dblclick", () => view.hands.isFree && view.enlargePlane(name)); // two dabs are no wish
    listen(this.canvas, this.#deeds());
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
  }

  get slice() {
    return this.view.cross[this.plane.axis];
  }

  /** The voxel (with fractions along the plane) under a place on the canvas, or next to it. */
  indexAt(point) {
    return this.view.within(this.placeAt(point));
  }

  /** Where a place on the canvas is, in voxels; it may lie outside of the image. */
  placeAt(point) {
    const [column, row] = this.frame.toPicture(point);
    const { size } = this.view;
    const { u, v, axis } = this.plane;
    const index = [0, 0, 0];
    index[u] = size[u] - 1 - column;
    index[v] = size[v] - 1 - row;
    index[axis] = this.slice;
    return index;
  }

  /** Where a voxel lies on the canvas. */
  pointAt(index) {
    const { size } = this.view;
    const { u, v } = this.plane;
    return this.frame.toScreen([size[u] - 1 - index[u], size[v] - 1 - index[v]]);
  }

  /** Bring a voxel into sight where the picture is enlarged. */
  show(index) {
    const [x, y] = this.pointAt(index);
    const [width, height] = this.frame.room;
    const isSeen = x > 0.1 * width && x < 0.9 * width && y > 0.1 * height && y < 0.9 * height;
    const { size } = this.view;
    const { u, v } = this.plane;
    if (!isSeen) this.frame.center([size[u] - 1 - index[u], size[v] - 1 - index[v]]);
  }

  /** Draw again, once, before the browser paints next. */
  redraw() {
    if (this.#waiting || this.element.hidden) return;
    this.#waiting = requestAnimationFrame(() => {
      this.#waiting = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas, frame, view } = this;
    const ratio = canvas.width / Math.max(canvas.clientWidth, 1);
    const context = canvas.getContext("2d", PLAIN);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, ...frame.room);
    this.slider.value = String(this.slice);
    this.#drawImage(context);
    if (view.overlays.heat.visible && view.heat.parts.length) this.#drawHeat(context);
    if (view.mask && view.overlays.labels.visible) this.#drawMask(context);
    this.#drawMarks(context);
    this.#drawLegend(context);
  }

  #drawImage(context) {
    const { view, plane } = this;
    const { volume } = view;
    const isThere = plane.axis !== 2 || volume.loaded[this.slice];
    if (plane.axis === 2 && !isThere) {
      if (view.preview && this.slice === view.previewSlice) {
        context.drawImage(view.preview, ...this.frame.place);
      }
      return;
    }
    const state = `${this.slice} ${view.grayVersion} ${view.arrived}`;
    if (state !== this.#drawn) {
      drawSlice(this.#gray.values, volume, plane, this.slice, view.grays, view.slabOf(plane.axis));
      this.#gray.put();
      this.#drawn = state;
    }
    context.imageSmoothingEnabled = view.isSmooth;
    context.imageSmoothingQuality = "low"; // linear: what is better takes ten times as long
    context.drawImage(this.#gray.canvas, ...this.frame.place);
  }

  #drawMask(context) {
    const { view, plane } = this;
    const state = `${this.slice} ${view.maskVersion}`;
    if (state !== this.#labeled) {
      this.#hasLabels = drawLabels(this.#labels.values, view.mask, plane, this.slice, view.colors);
      if (this.#hasLabels) this.#labels.put();
      this.#labeled = state;
    }
    if (!this.#hasLabels) return;
    context.imageSmoothingEnabled = false;
    context.globalAlpha = view.overlays.labels.opacity;
    context.drawImage(this.#labels.canvas, ...this.frame.place);
    context.globalAlpha = 1;
  }

  #drawHeat(context) {
    const { view, plane } = this;
    const parts = view.heatParts();
    const state = `${this.slice} ${parts.map(({ key }) => key)}`;
    this.#heat ??= surface(...pixels(view.size, plane));
    if (state !== this.#heated) {
      this.#hasHeat = drawHeat(this.#heat.values, view.size, plane, this.slice, parts);
      if (this.#hasHeat) this.#heat.put();
      this.#heated = state;
    }
    if (!this.#hasHeat) return;
    context.imageSmoothingEnabled = true;
    context.globalAlpha = view.overlays.heat.opacity;
    context.drawImage(this.#heat.canvas, ...this.frame.place);
    context.globalAlpha = 1;
  }

  #drawMarks(context) {
    const { view, plane, frame } = this;
    const { u, v, axis } = plane;
    if (view.overlays.cross.visible) drawCross(context, this.pointAt(view.cross), frame.room, CROSS);
    if (view.overlays.findings.visible) {
      for (const place of view.places) {
        const away = Math.abs(place.index[axis] - this.slice) * view.spacing[axis];
        const isCurrent = place.key === view.current;
        const color = isCurrent ? CURRENT : FINDING;
        if (place.box && within(this.slice, place.box, axis)) {
          drawBox(context, this.pointAt(place.box[0]), this.pointAt(place.box[1]), place.key, color, isCurrent);
        } else if (away <= Math.max(place.radius_mm, view.spacing[axis] / 2)) {
          const radius = (place.radius_mm + 3) * frame.scale;
          drawRing(context, this.pointAt(place.index), [radius, radius], place.key, color, isCurrent);
        }
      }
    }
    for (const length of view.hands.lengths) {
      if (length.axis !== axis || length.slice !== this.slice) continue;
      const told = `${view.hands.millimetres(length).toFixed(1)} mm`;
      drawLength(context, this.pointAt(length.from), this.pointAt(length.to), told, "#9dff8a");
    }
    for (const { index, isOutside } of view.hands.dots) {
      if (index[axis] === this.slice) drawDot(context, this.pointAt(index), isOutside);
    }
    if (view.hands.cursor && this.#pointer) {
      const at = this.pointAt(this.placeAt(this.#pointer).map(Math.round));
      const radius = view.hands.cursor * frame.scale;
      const least = [view.spacing[u], view.spacing[v]].map((mm) => (mm / 2) * frame.scale);
      drawBrush(context, at, [Math.max(radius, least[0]), Math.max(radius, least[1])], QUIET);
    }
  }

  #drawLegend(context) {
    const { view, frame, plane } = this;
    const [width, height] = frame.room;
    const [left, right, top, bottom] = plane.letters;
    drawText(context, left, [8, height / 2], QUIET);
    drawText(context, right, [width - 8, height / 2], QUIET, "right");
    drawText(context, top, [width / 2, 12], QUIET, "center");
    drawText(context, bottom, [width / 2, height - 12], QUIET, "center");
    const count = view.size[plane.axis];
    drawText(context, `${this.slice + 1} / ${count}`, [12, 14], QUIET);
    const slab = view.slabOf(plane.axis);
    if (slab) drawText(context, `${t(`read.js.slab_${slab.mode}`)} ${view.slab.mm} mm`, [12, 32], QUIET);
    const { center, width: wide } = view.window;
    drawText(context, `W ${Math.round(wide)}  L ${Math.round(center)}`, [width - 12, 14], QUIET, "right");
    if (this.#pointer) {
      const value = view.valueAt(this.indexAt(this.#pointer).map(Math.round));
      if (value !== null) drawText(context, value, [width - 12, 32], QUIET, "right");
    }
    drawScale(context, frame.scale, height, QUIET);
  }

  #deeds() {
    const { view } = this;
    return {
      takesRight: () => view.hands.takesRight,
      isFree: () => view.hands.isFree,
      act: (phase, point, event) => {
        const index = this.indexAt(point);
        const { axis } = this.plane;
        view.setActive(this.name);
        const place = { index, at: this.placeAt(point), axis, slice: this.slice, mm: view.toMm(index) };
        if (!view.hands.act(phase, place, event) && phase !== "up") view.setCross(index.map(Math.round));
      },
      scroll: (steps) => {
        view.setActive(this.name);
        view.scroll(-steps, this.plane.axis);
      },
      enlarge: (by, point) => {
        this.frame.enlarge(by, point);
        this.redraw();
      },
      move: (dx, dy) => {
        this.frame.move(dx, dy);
        this.redraw();
      },
      window: (dx, dy) => {
        const { center, width } = view.window;
        const step = Math.max(width / 300, view.scene.slope ?? 0);
        view.setWindow({ center: center + dy * step, width: Math.max(width + dx * step, step) });
      },
      hover: (point) => {
        this.#pointer = point;
        this.redraw();
      },
    };
  }

  #resize() {
    const { canvas } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
    canvas.height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
    this.frame.resize(canvas.clientWidth, canvas.clientHeight);
    if (!this.element.hidden) this.draw();
  }
}

/** A canvas of the picture's own pixels, and its pixels as numbers. */
function surface(columns, rows) {
  const canvas = el("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d", PLAIN);
  const image = new ImageData(columns, rows);
  const values = new Uint32Array(image.data.buffer);
  return { canvas, values, put: () => context.putImageData(image, 0, 0) };
}

function within(slice, [low, high], axis) {
  return slice >= Math.floor(low[axis]) && slice <= Math.ceil(high[axis]);
}
