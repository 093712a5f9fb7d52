import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { readNifti, writeNifti } from "../static/correct/nifti.js";
import { random } from "./drawn.mjs";

function aFile(size, Kind, code) {
  const head = new Uint8Array(352);
  const view = new DataView(head.buffer);
  view.setInt32(0, 348, true);
  [3, ...size, 1, 1, 1, 1].forEach((n, at) => view.setInt16(40 + 2 * at, n, true));
  view.setInt16(70, code, true);
  view.setInt16(72, 8 * Kind.BYTES_PER_ELEMENT, true);
  view.setFloat32(108, 352, true);
  head.set([110, 43, 49, 0], 344);
  const rng = random(size[0]);
  const data = Kind.from({ length: size[0] * size[1] * size[2] }, () => rng.whole(0, 255));
  const file = new Uint8Array(352 + data.byteLength);
  file.set(head);
  file.set(new Uint8Array(data.buffer), 352);
  return { file, data };
}

for (const [Kind, code] of [[Uint8Array, 2], [Uint16Array, 512]]) {
  test(`labels as ${Kind.name} come back to the byte, header and all`, async () => {
    const { file, data } = aFile([5, 4, 3], Kind, code);
    const mask = await readNifti(file);
    assert.deepEqual(mask.size, [5, 4, 3]);
    assert.deepEqual(mask.data, data);
    const packed = await writeNifti(mask);
    assert.deepEqual([...packed.subarray(0, 2)], [0x1f, 0x8b]);
    const again = await readNifti(packed);
    assert.deepEqual(again, mask);
  });
}

test("what is no mask is refused", async () => {
  const { file } = aFile([5, 4, 3], Uint8Array, 2);
  await assert.rejects(readNifti(new Uint8Array(10)), /not a NIfTI-1/);
  await assert.rejects(readNifti(file.subarray(0, 400)), /truncated/);
  const floats = file.slice();
  new DataView(floats.buffer).setInt16(70, 16, true);
  await assert.rejects(readNifti(floats), /no labels/);
});

// A file that Python wrote comes back changed in one voxel, for Python to compare.
const [given, wanted] = [process.env.MASK_IN, process.env.MASK_OUT];
test("a file of the server comes back to it", { skip: !given }, async () => {
  const mask = await readNifti(new Uint8Array(await readFile(given)));
  mask.data[1 + mask.size[0] * (2 + mask.size[1] * 3)] = 7;
  await writeFile(wanted, await writeNifti(mask));
});
