// The volume in 3-D, by NiiVue. It is given every second, third or fourth voxel, so that any
// computer turns it; slices are drawn by the panes, from all voxels.

import { button, el, select } from "../correct/dom.js";
import { t } from "../texts.js";

const MOST = 160; // voxels along an axis
const LOOKS = {
  HU: ["ct_bones", "ct_surface", "ct_vessels", "ct_airways", "ct_muscles"],
  other: ["gray", "hot"],
};

export class Space {
  #nv = null;
  #image = null;
  #labels = null;
  #begun = false;
  #pending = 0;

  constructor(view) {
    this.view = view;
    this.canvas = el("canvas", { class: "read-canvas read-space", tabindex: "0", role: "img", "aria-label": t("read.js.space") });
    this.note = el("p", { class: "read-note", role: "note" });
    const looks = LOOKS[view.scene.unit] ?? LOOKS.other;
    this.look = select(
      looks.map((value) => ({ value, label: t(`read.js.look_${value}`) })),
      looks[0],
      { "aria-label": t("read.js.look"), onchange: () => this.#paint() },
    );
    this.cut = el("input", {
      type: "range", min: "0", max: "100", value: "0", "aria-label": t("read.js.cut"), title: t("read.js.cut"),
      oninput: () => this.#clip(),
    });
    const turns = [["A", 180, 0], ["L", 90, 0], ["P", 0, 0], ["R", 270, 0], ["S", 0, 90]].map(([face, azimuth, up]) =>
      button(face, t("read.js.look_from", { side: face }), () => this.#nv?.setRenderAzimuthElevation(azimuth, up)),
    );
    this.bar = el("div", { class: "read-space-bar" }, this.look, ...turns, this.cut);
    this.element = el("div", { class: "read-pane space", "data-plane": "space", hidden: true }, this.canvas, this.bar, this.note);
    this.bar.hidden = true;
  }

  /** Show or hide; the first time NiiVue is loaded. */
  show(isShown) {
    this.element.hidden = !isShown;
    if (isShown && !this.#begun) {
      this.#begun = true;
      this.#begin();
    }
  }

  crossChanged() {
    if (!this.#nv || this.element.hidden) return;
    const { cross, size } = this.view;
    this.#nv.scene.crosshairPos = cross.map((n, axis) => (n + 0.5) / size[axis]);
    this.#nv.drawScene();
  }

  /** Show the mask as it is now, a moment after it stopped changing. */
  maskChanged() {
    if (!this.#nv) return;
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.#showMask(), 600);
  }

  async #begin() {
    const place = document.getElementById("reading")?.dataset.niivue;
    if (!place) {
      this.note.textContent = t("read.js.no_niivue");
      return;
    }
    this.note.textContent = t("read.js.loading");
    try {
      const [{ Niivue, NVImage }] = await Promise.all([import(place), this.view.done]);
      this.NVImage = NVImage;
      const nv = new Niivue({
        backColor: [0, 0, 0, 1], show3Dcrosshair: true, isOrientCube: true, crosshairWidth: 1,
        crosshairColor: [0.47, 0.78, 1, 0.8], loadingText: "", logLevel: "silent", dragAndDropEnabled: false,
      });
      await nv.attachToCanvas(this.canvas);
      nv.setSliceType(nv.sliceTypeRender);
      this.#image = await this.#load(thinned(this.view.volume, MOST), this.view.scene, "volume.nii");
      nv.addVolume(this.#image);
      this.#nv = nv;
      this.note.textContent = "";
      this.bar.hidden = false;
      this.#paint();
      await this.#showMask();
      this.crossChanged();
      this.element.dataset.ready = "yes";
    } catch (error) {
      this.note.textContent = t("read.js.no_webgl");
      this.element.dataset.failed = error.message;
    }
  }

  async #load({ data, size, step }, { spacing, slope = 1, intercept = 0 }, name) {
    const file = nifti(data, size, spacing.map((mm, axis) => mm * step[axis]), slope, intercept);
    return this.NVImage.loadFromUrl({ url: file, name });
  }

  #paint() {
    if (!this.#nv) return;
    this.#nv.setColormap(this.#image.id, this.look.value);
    if (this.look.value === "gray" || this.look.value === "hot") {
      const { center, width } = this.view.window;
      [this.#image.cal_min, this.#image.cal_max] = [center - width / 2, center + width / 2];
      this.#nv.updateGLVolume();
    }
  }

  #clip() {
    const depth = Number(this.cut.value);
    this.#nv?.setClipPlane(depth ? [0.6 - (1.2 * depth) / 100, 180, 20] : [2, 0, 0]);
  }

  async #showMask() {
    const { mask, overlays, colors } = this.view;
    if (this.#labels) this.#nv.removeVolume(this.#labels);
    this.#labels = null;
    if (!mask || !overlays.labels.visible) return;
    const thin = thinned(mask, MOST);
    const map = { R: [0], G: [0], B: [0], A: [0], I: [0] };
    for (const [number, color] of Object.entries(colors).filter(([, each]) => each)) {
      map.R.push(color & 255);
      map.G.push((color >> 8) & 255);
      map.B.push((color >> 16) & 255);
      map.A.push(255);
      map.I.push(Number(number));
    }
    if (map.I.length < 2) return;
    this.#labels = await this.#load({ ...thin, data: Int16Array.from(thin.data) }, { spacing: this.view.spacing }, "labels.nii");
    this.#labels.setColormapLabel(map);
    this.#nv.addVolume(this.#labels);
  }
}

/** Every n-th voxel along each axis, so that none has more than so many. */
function thinned({ data, size }, most) {
  const step = size.map((n) => Math.ceil(n / most));
  const small = size.map((n, axis) => Math.floor((n - 1) / step[axis]) + 1);
  const out = new data.constructor(small[0] * small[1] * small[2]);
  let at = 0;
  for (let z = 0; z < small[2]; z += 1) {
    for (let y = 0; y < small[1]; y += 1) {
      let from = size[0] * (y * step[1] + size[1] * z * step[2]);
      for (let x = 0; x < small[0]; x += 1, from += step[0], at += 1) out[at] = data[from];
    }
  }
  return { data: out, size: small, step };
}

/** A NIfTI-1 file of int16, its axes along the patient's and its middle at the origin. */
function nifti(data, size, spacing, slope, intercept) {
  const bytes = new ArrayBuffer(352 + data.byteLength);
  const head = new DataView(bytes);
  head.setInt32(0, 348, true);
  [3, ...size, 1, 1, 1, 1].forEach((n, at) => head.setInt16(40 + 2 * at, n, true));
  head.setInt16(70, 4, true);
  head.setInt16(72, 16, true);
  [1, ...spacing].forEach((mm, at) => head.setFloat32(76 + 4 * at, mm, true));
  head.setFloat32(108, 352, true);
  head.setFloat32(112, slope, true);
  head.setFloat32(116, intercept, true);
  head.setUint8(123, 2);
  head.setInt16(254, 1, true);
  spacing.forEach((mm, row) => {
    head.setFloat32(280 + 16 * row + 4 * row, mm, true);
    head.setFloat32(280 + 16 * row + 12, (-mm * (size[row] - 1)) / 2, true);
  });
  [110, 43, 49, 0].forEach((letter, at) => head.setUint8(344 + at, letter));
  new Int16Array(bytes, 352).set(data);
  return bytes;
}
