// A volume in three planes and 3-D, with crosshair, windows, slabs, overlays and tools.

import { el } from "../correct/dom.js";
import { boundsOf } from "../correct/region.js";
import { say } from "../http.js";
import { t } from "../texts.js";
import { Hands } from "./hands.js";
import { Heat } from "./heat.js";
import { fetchVolume } from "./image.js";
import { Pane } from "./pane.js";
import { colorsOf, grays, PLANES } from "./slices.js";
import { Space } from "./space.js";

export const LAYOUTS = ["axial", "coronal", "sagittal", "four", "space"];

/** Show a scene's volume in an element; returns the view. */
export function createVolumeView(host, scene, urls) {
  return new VolumeView(host, scene, urls);
}

class VolumeView extends EventTarget {
  constructor(host, scene, urls) {
    super();
    this.scene = scene;
    this.size = scene.size;
    this.spacing = scene.spacing;
    this.overlays = {
      labels: { visible: true, opacity: 0.4 },
      findings: { visible: true, opacity: 1 },
      cross: { visible: true, opacity: 1 },
      heat: { visible: false, opacity: 0.6 },
    };
    this.heat = new Heat(scene.heat, urls.heat);
    this.hands = new Hands(scene.spacing, () => this.redraw());
    this.places = scene.findings.filter((each) => each.index);
    this.current = scene.main;
    const main = this.places.find((each) => each.key === scene.main);
    this.cross = this.#clip(main ? main.index : scene.size.map((n) => Math.floor(n / 2)));
    [this.mask, this.colors, this.maskVersion] = [null, [], 0];
    [this.arrived, this.grayVersion, this.isSmooth] = [0, 0, true];
    this.slab = { mm: 0, mode: "max" };
    [this.active, this.layout] = ["axial", "axial"];
    this.previewSlice = this.cross[2];
    this.#usePreview(urls.preview);
    this.volume = fetchVolume(urls.volume, scene, this.cross[2], (share) => this.#arrive(share));
    this.done = this.volume.done;
    this.panes = Object.keys(PLANES).map((name) => new Pane(this, name));
    this.space = new Space(this);
    this.element = el("div", { class: "read-planes", "data-layout": "axial" });
    this.element.append(...this.panes.map((pane) => pane.element), this.space.element);
    host.replaceChildren(this.element);
    this.setWindow(scene.windows[scene.window]);
    this.setLayout("axial");
  }

  /** Intensities as stored: the data of volume.nii. */
  get image() {
    return this.volume.data;
  }

  /** Which slice the pane that was used last shows. */
  slice() {
    const { axis } = PLANES[this.active];
    return { axis, index: this.cross[axis] };
  }

  /** Take a label map to show: {data, size, header}, and what its labels stand for. */
  setMask(mask, segments) {
    this.mask = { ...mask, spacing: this.spacing, changed: () => this.#maskChanged() };
    this.setSegments(segments);
  }

  setSegments(segments, hidden = new Set()) {
    this.colors = colorsOf(segments, hidden);
    this.#maskChanged();
  }

  /** Findings to mark: {key, index, box?, radius_mm}. */
  setPlaces(places) {
    this.places = places;
    this.redraw();
  }

  /** Heat of the findings that are marked, the one looked at on top. */
  heatParts() {
    const keys = new Set(this.places.map(({ key }) => key));
    const parts = this.heat.parts.filter(({ key }) => keys.has(key));
    return [...parts.filter(({ key }) => key !== this.current), ...parts.filter(({ key }) => key === this.current)];
  }

  /** Go to a place: a finding, or {index}; false if it says none. */
  goTo(place) {
    const index = this.indexOf(place);
    if (!index) return false;
    this.current = place.key ?? this.current;
    this.setCross(this.#clip(index));
    for (const pane of this.panes) pane.show(index);
    return true;
  }

  /** The voxel that a finding is at, however it says so. */
  indexOf(place) {
    if (place.index) return place.index;
    const known = this.places.find((each) => each.key === place.key);
    if (place.center_lps_mm) return this.toIndex(place.center_lps_mm);
    if (place.box?.low) {
      return this.toIndex(place.box.low.map((n, axis) => (n + place.box.high[axis]) / 2));
    }
    if (known) return known.index;
    const box = place.segment && this.mask ? boundsOf(this.mask, place.segment) : null;
    return box ? box[0].map((n, axis) => (n + box[1][axis] - 1) / 2) : null;
  }

  onPick(callback) {
    return this.hands.onPick((place) => callback({ ...place, index: place.index.map(Math.round) }));
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
    if (name === "labels") this.space.maskChanged();
    if (name === "heat" && this.overlays.heat.visible) this.#showHeat();
    this.dispatchEvent(new Event("overlay"));
  }

  setWindow({ center, width }) {
    this.window = { center, width };
    this.grays = grays(this.window, this.scene.slope, this.scene.intercept);
    this.grayVersion += 1;
    this.redraw();
    this.dispatchEvent(new Event("window"));
  }

  setSlab(slab) {
    Object.assign(this.slab, slab);
    this.grayVersion += 1;
    this.redraw();
    this.dispatchEvent(new Event("slab"));
  }

  /** How many slices across an axis a slab looks through; null for one alone. */
  slabOf(axis) {
    const slices = Math.round(this.slab.mm / this.spacing[axis]);
    return slices > 1 ? { slices, mode: this.slab.mode } : null;
  }

  setLayout(layout) {
    this.layout = layout;
    this.element.dataset.layout = layout;
    for (const pane of this.panes) pane.element.hidden = layout !== "four" && layout !== pane.name;
    if (PLANES[layout]) this.setActive(layout);
    this.space.show(layout === "four" || layout === "space");
    this.redraw();
    this.dispatchEvent(new Event("layout"));
  }

  enlargePlane(name) {
    this.setLayout(this.layout === "four" ? name : "four");
  }

  setActive(name) {
    this.active = name;
    for (const pane of this.panes) pane.element.classList.toggle("active", pane.name === name);
  }

  setCross(index, from = this) {
    const cross = this.#clip(index);
    if (cross.every((n, axis) => n === this.cross[axis])) return;
    this.cross = cross;
    this.redraw();
    this.space.crossChanged();
    this.dispatchEvent(new CustomEvent("cross", { detail: { from } }));
  }

  setSlice(axis, index, name = this.active) {
    this.setActive(name);
    this.setCross(this.cross.map((n, each) => (each === axis ? index : n)));
  }

  /** Go some slices on, across an axis or the plane used last. */
  scroll(steps, axis = PLANES[this.active].axis) {
    this.setSlice(axis, this.cross[axis] + steps);
  }

  fit() {
    for (const pane of this.panes) pane.frame.fit();
    this.redraw();
  }

  redraw() {
    for (const pane of this.panes ?? []) pane.redraw();
  }

  /** Where a voxel lies, in DICOM's millimetres. */
  toMm(index) {
    const { affine } = this.scene;
    return [0, 1, 2].map((row) => affine[row][0] * index[0] + affine[row][1] * index[1] + affine[row][2] * index[2] + affine[row][3]);
  }

  /** The voxel (with fractions) at DICOM's millimetres. */
  toIndex(mm) {
    const { affine } = this.scene;
    const away = [0, 1, 2].map((row) => mm[row] - affine[row][3]);
    const column = (n) => [affine[0][n], affine[1][n], affine[2][n]];
    const [a, b, c] = [column(0), column(1), column(2)];
    const whole = dot(a, across(b, c));
    return [dot(away, across(b, c)) / whole, dot(a, across(away, c)) / whole, dot(a, across(b, away)) / whole];
  }

  /** What the voxel holds, with its unit; null where it is not there yet. */
  valueAt(index) {
    if (!this.volume.loaded[index[2]]) return null;
    const [nx, ny] = this.size;
    const stored = this.volume.data[index[0] + nx * (index[1] + ny * index[2])];
    const value = stored * this.scene.slope + this.scene.intercept;
    const shown = Math.abs(value) < 10 && this.scene.slope < 0.1 ? value.toFixed(2) : Math.round(value);
    return `${shown}${this.scene.unit === "1" ? "" : ` ${this.scene.unit}`}`;
  }

  /** The place in the image that is next to one, with fractions. */
  within(index) {
    return index.map((n, axis) => Math.max(0, Math.min(this.size[axis] - 1, n)));
  }

  #clip(index) {
    return index.map((n, axis) => Math.max(0, Math.min(this.size[axis] - 1, Math.round(n))));
  }

  async #showHeat() {
    try {
      await this.heat.load();
      this.redraw();
    } catch {
      this.setOverlay("heat", { visible: false });
      say(t("read.js.heat_failed"), "bad");
    }
  }

  #maskChanged() {
    this.maskVersion += 1;
    this.redraw();
    this.space.maskChanged();
  }

  #arrive(share) {
    this.arrived = share;
    this.redraw();
    this.dispatchEvent(new CustomEvent("arrived", { detail: { share } }));
  }

  /** The picture that is shown until the slice itself is there. */
  async #usePreview(image) {
    try {
      await image?.decode();
      this.preview = image ?? null;
      this.redraw();
    } catch {
      this.preview = null; // the slice itself comes soon
    }
  }
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function across(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
