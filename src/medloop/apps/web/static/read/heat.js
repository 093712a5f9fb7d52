// What a network went by, as a layer over a volume: boxes of 0..255 about findings.

import { el } from "../correct/dom.js";
import { t } from "../texts.js";
import { pixels } from "./slices.js";

const FLOOR = 0.25; // less of the maximum is left out, as in the pictures of the report
const FULL = 0.6;
// Inferno (matplotlib), from 0 to 1 in steps of an eighth.
const INFERNO = ["000004", "210c4a", "57106e", "8a226a", "bc3754", "e45a31", "f98e09", "f9cb35", "fcffa4"];

/** Color of each level as a pixel of ImageData (little endian RGBA). */
export const COLORS = Uint32Array.from({ length: 256 }, (_, level) => {
  const share = level / 255;
  const at = Math.min(Math.floor(share * 8), 7);
  const channel = (n) => {
    const [low, high] = [at, at + 1].map((stop) => Number.parseInt(INFERNO[stop].slice(2 * n, 2 * n + 2), 16));
    return Math.round(low + (high - low) * (share * 8 - at));
  };
  const alpha = Math.round(255 * Math.max(0, Math.min(1, (share - FLOOR) / (FULL - FLOOR))));
  return ((alpha << 24) | (channel(2) << 16) | (channel(1) << 8) | channel(0)) >>> 0;
});

/** The boxes of a scene; their bytes are fetched when they are first wanted. */
export class Heat {
  parts = [];
  #loading = null;

  constructor(boxes, url) {
    this.boxes = boxes;
    this.url = url;
  }

  /** Fetch the bytes once; a second try may follow a failure. */
  load() {
    if (!this.boxes.length) return Promise.resolve();
    this.#loading ??= this.#fetch().catch((error) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #fetch() {
    const answer = await fetch(this.url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const plain = answer.body.pipeThrough(new DecompressionStream("gzip"));
    const data = new Uint8Array(await new Response(plain).arrayBuffer());
    let begin = 0;
    this.parts = this.boxes.map(({ key, box: [low, high] }) => {
      const size = low.map((n, axis) => high[axis] - n);
      const end = begin + size[0] * size[1] * size[2];
      const part = { key, low, size, data: data.subarray(begin, end) };
      begin = end;
      return part;
    });
    if (begin !== data.length) throw new Error(`${data.length} bytes, ${begin} expected`);
  }
}

/**
 * Draw the parts that cross a slice into pixels, the last on top of the others; returns whether
 * there are any.
 */
export function drawHeat(out, size, plane, index, parts) {
  const [width, height] = pixels(size, plane);
  out.fill(0);
  let any = false;
  for (const { low, size: count, data } of parts) {
    const deep = index - low[plane.axis];
    if (deep < 0 || deep >= count[plane.axis]) continue;
    any = true;
    const step = [1, count[0], count[0] * count[1]];
    for (let v = 0; v < count[plane.v]; v += 1) {
      let from = deep * step[plane.axis] + v * step[plane.v];
      let at = (height - 1 - low[plane.v] - v) * width + width - 1 - low[plane.u];
      for (let u = 0; u < count[plane.u]; u += 1, at -= 1, from += step[plane.u]) out[at] = COLORS[data[from]];
    }
  }
  return any;
}

/** What the colors stand for. */
export function heatLegend() {
  return el(
    "p",
    { class: "read-ramp small muted" },
    el("span", {}, t("read.js.heat_low")),
    el("span", { class: "read-ramp-colors", role: "presentation" }),
    el("span", {}, t("read.js.heat_high")),
  );
}
