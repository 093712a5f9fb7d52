// The mask as it travels: NIfTI for volumes, a PNG of labels for pictures.

import { readNifti } from "./nifti.js";

let worker = null;
let turns = 0;
const waiting = new Map();

/** Fetch a mask: {data, size, header}; no header where it is of a picture. */
export async function fetchMask(url) {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  if ((answer.headers.get("content-type") ?? "").includes("png")) return fromPng(await answer.blob());
  return readNifti(new Uint8Array(await answer.arrayBuffer()));
}

/** Pack a mask beside the page: a Blob to send. */
export async function packMask({ data, size, header }) {
  if (!header) return toPng(data, size);
  worker ??= begin();
  turns += 1;
  const turn = turns;
  const packed = new Promise((resolve, reject) => waiting.set(turn, { resolve, reject }));
  const copy = data.slice();
  worker.postMessage({ turn, data: copy, header }, [copy.buffer]);
  return new Blob([await packed], { type: "application/gzip" });
}

function begin() {
  const made = new Worker(new URL("./packer.js", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data: { turn, packed, error } }) => {
    const { resolve, reject } = waiting.get(turn);
    waiting.delete(turn);
    if (error) reject(new Error(error));
    else resolve(packed);
  });
  made.addEventListener("error", () => {
    for (const { reject } of waiting.values()) reject(new Error("packing failed"));
    waiting.clear();
    worker = null;
  });
  return made;
}

/** Labels of a gray PNG; below 256, so that a canvas shows them as they are. */
async function fromPng(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const rgba = context.getImageData(0, 0, picture.width, picture.height).data;
  const data = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < data.length; i += 1) data[i] = rgba[4 * i];
  return { data, size: [picture.width, picture.height, 1], header: null };
}

async function toPng(data, [width, height]) {
  const rgba = new Uint8ClampedArray(4 * data.length);
  const words = new Uint32Array(rgba.buffer); // alpha in the highest byte: all browsers' machines
  for (let i = 0; i < data.length; i += 1) words[i] = 0xff000000 | (data[i] * 0x010101);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
