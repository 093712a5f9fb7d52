import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, pack, unpack } from "../static/correct/bits.js";
import { around, boundsOf, clip, count, crop, offset, overlay, put, union } from "../static/correct/region.js";
import { aMask, aRandomMask, places, random } from "./drawn.mjs";

function aBox(rng, size) {
  const low = size.map((n) => rng.whole(0, n - 1));
  return [low, low.map((n, axis) => rng.whole(n + 1, size[axis]))];
}

test("what is cut out and put back changes nothing", () => {
  const rng = random(1);
  for (let round = 0; round < 80; round += 1) {
    const mask = aRandomMask(rng);
    const before = mask.data.slice();
    const box = aBox(rng, mask.size);
    assert.equal(put(mask, box, crop(mask, box, 1), 1), 0);
    assert.deepEqual(mask.data, before);
  }
});

test("what is put in comes out, and other labels stay where they may not be covered", () => {
  const rng = random(2);
  for (let round = 0; round < 80; round += 1) {
    const mask = aRandomMask(rng);
    const before = mask.data.slice();
    const box = aBox(rng, mask.size);
    const bits = Uint8Array.from({ length: count(box) }, () => rng.whole(0, 1));
    const changed = put(mask, box, bits, 2, round % 2 === 0);
    const now = crop(mask, box, 2);
    if (round % 2 === 0) assert.deepEqual(now, bits);
    else {
      mask.data.forEach((value, n) => {
        if (before[n] === 1 || before[n] === 3) assert.equal(value, before[n]);
      });
    }
    assert.equal(changed, mask.data.reduce((n, value, i) => n + (value !== before[i]), 0));
  }
});

test("the bounds of a label are those of its voxels", () => {
  const rng = random(3);
  for (let round = 0; round < 80; round += 1) {
    const mask = aRandomMask(rng, { share: 0.02 * rng.whole(0, 5) });
    let wanted = null;
    for (const place of places(mask.size)) {
      if (mask.data[offset(mask.size, place)] === 1) {
        wanted = union(wanted, [place, place.map((n) => n + 1)]);
      }
    }
    assert.deepEqual(boundsOf(mask, 1), wanted);
  }
});

test("the bounds of a label in the last corner of a large volume are found at once", () => {
  const mask = aMask([512, 512, 100]);
  mask.data[mask.data.length - 1] = 7;
  const started = performance.now();
  assert.deepEqual(boundsOf(mask, 7), [[511, 511, 99], [512, 512, 100]]);
  assert.equal(boundsOf(mask, 3), null);
  assert.ok(performance.now() - started < 3000);
});

test("a box outside of the volume is none, and one across its border is cut", () => {
  assert.equal(clip([[5, 0, 0], [7, 1, 1]], [5, 5, 5]), null);
  assert.deepEqual(clip([[-3, 2, 4], [2, 9, 5]], [5, 5, 5]), [[0, 2, 4], [2, 5, 5]]);
  assert.deepEqual(around([[1, 1, 1], [3, 1, 0]], [1, 2, 0], [5, 5, 5]), [[0, 0, 0], [5, 4, 2]]);
  assert.equal(around([], [1, 1, 1], [5, 5, 5]), null);
});

test("an inner box replaces its part of an outer one", () => {
  const mask = aMask([6, 5, 4]);
  const inner = [[2, 1, 1], [4, 3, 4]];
  put(mask, inner, new Uint8Array(count(inner)).fill(1), 1);
  const outer = [[1, 0, 0], [6, 5, 4]];
  const bits = new Uint8Array(count(outer));
  overlay(outer, bits, inner, new Uint8Array(count(inner)).fill(1));
  assert.deepEqual(bits, crop(mask, outer, 1));
});

test("bits travel as they are", () => {
  const rng = random(4);
  for (const length of [0, 1, 7, 8, 9, 30000]) {
    const bits = Uint8Array.from({ length }, () => rng.whole(0, 1));
    assert.deepEqual(unpack(decode(encode(pack(bits))), length), bits);
  }
  assert.deepEqual([...pack([1, 0, 0, 0, 0, 0, 0, 1, 1])], [129, 128]);
});
