import assert from "node:assert/strict";
import { test } from "node:test";

import { fillHoles, keepLargest, pieces, removeSmall } from "../static/correct/islands.js";
import { count, crop, extent, offset, put } from "../static/correct/region.js";
import { aMask, aRandomMask, places, random } from "./drawn.mjs";

function paint(mask, low, high, label) {
  put(mask, [low, high], new Uint8Array(count([low, high])).fill(1), label);
}

/** Pieces found the slow way: labels spread to neighbors until nothing changes. */
function slowPieces(bits, size) {
  const names = Array.from(bits, (bit, n) => (bit ? n + 1 : 0));
  for (let changes = true; changes; ) {
    changes = false;
    for (const [x, y, z] of places(size)) {
      const here = offset(size, [x, y, z]);
      if (!names[here]) continue;
      for (const [dx, dy, dz] of places([3, 3, 3])) {
        const near = [x + dx - 1, y + dy - 1, z + dz - 1];
        if (near.some((n, axis) => n < 0 || n >= size[axis])) continue;
        const other = names[offset(size, near)];
        if (other && other < names[here]) [names[here], changes] = [other, true];
      }
    }
  }
  return names;
}

test("pieces are those that a slow search finds", () => {
  const rng = random(1);
  for (let round = 0; round < 40; round += 1) {
    const mask = aRandomMask(rng, { most: 7, share: 0.2 });
    const bits = crop(mask, [[0, 0, 0], mask.size], 1);
    const { names, sizes } = pieces(bits, mask.size);
    const slow = slowPieces(bits, mask.size);
    const pairs = new Set(slow.map((name, n) => `${name}=${names[n]}`));
    const distinct = new Set(slow);
    assert.equal(pairs.size, distinct.size);
    assert.equal(sizes.reduce((sum, n) => sum + n, 0), bits.reduce((sum, n) => sum + n, 0));
  }
});

test("the largest piece stays and the others go; other labels are not looked at", () => {
  const mask = aMask([20, 10, 10]);
  paint(mask, [0, 0, 0], [3, 3, 3], 1);
  paint(mask, [10, 4, 4], [15, 9, 9], 1);
  paint(mask, [18, 0, 0], [20, 2, 2], 2);
  const found = keepLargest(mask, 1);
  put(mask, found.box, found.bits, 1);
  assert.equal(mask.data.filter((value) => value === 1).length, 125);
  assert.equal(mask.data.filter((value) => value === 2).length, 8);
  assert.equal(keepLargest(mask, 1), null);
});

test("of two pieces of one size, one stays", () => {
  const mask = aMask([9, 1, 1]);
  mask.data.set([1, 1, 0, 0, 1, 1, 0, 0, 1]);
  const found = keepLargest(mask, 1);
  put(mask, found.box, found.bits, 1);
  assert.deepEqual([...mask.data], [1, 1, 0, 0, 0, 0, 0, 0, 0]);
});

test("pieces below a size go, those of that size stay", () => {
  const mask = aMask([9, 1, 1]);
  mask.data.set([1, 1, 0, 1, 0, 1, 1, 1, 0]);
  const found = removeSmall(mask, 1, 2);
  put(mask, found.box, found.bits, 1);
  assert.deepEqual([...mask.data], [1, 1, 0, 0, 0, 1, 1, 1, 0]);
  assert.equal(removeSmall(mask, 1, 2), null);
  assert.equal(removeSmall(mask, 2, 2), null);
});

test("a hollow ball is filled in space, a tube only slice by slice", () => {
  const cube = aMask([7, 7, 7]);
  paint(cube, [1, 1, 1], [6, 6, 6], 1);
  cube.data[offset(cube.size, [3, 3, 3])] = 0;
  assert.equal(fillHoles(cube, 1).bits.reduce((sum, n) => sum + n, 0), 125);
  const tube = aMask([7, 7, 7]);
  paint(tube, [1, 1, 1], [6, 6, 6], 1);
  for (let z = 0; z < 7; z += 1) tube.data[offset(tube.size, [3, 3, z])] = 0;
  assert.equal(fillHoles(tube, 1), null);
  assert.equal(fillHoles(tube, 1, 2).bits.reduce((sum, n) => sum + n, 0), 125);
});

test("filling adds only what is enclosed, and a second time nothing", () => {
  const rng = random(6);
  for (let round = 0; round < 60; round += 1) {
    const mask = aRandomMask(rng, { share: 0.8, labels: 1 });
    const axis = [null, 0, 1, 2][round % 4];
    const found = fillHoles(mask, 1, axis);
    if (!found) continue;
    assert.equal(found.bits.length, count(found.box));
    assert.ok(extent(found.box).every((n) => n > 0));
    const before = crop(mask, found.box, 1);
    before.forEach((bit, n) => assert.ok(found.bits[n] >= bit));
    put(mask, found.box, found.bits, 1);
    assert.equal(fillHoles(mask, 1, axis), null);
  }
});
