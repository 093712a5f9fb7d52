import assert from "node:assert/strict";
import { test } from "node:test";

import { line, stamp, stroke } from "../static/correct/brush.js";
import { offset } from "../static/correct/region.js";
import { between, gray, rangeAt } from "../static/correct/threshold.js";
import { aMask, aRandomMask, places, random } from "./drawn.mjs";

const covered = (mask, label) => mask.data.reduce((n, value) => n + (value === label), 0);

test("a radius of nothing paints the voxel that was pointed at", () => {
  const mask = aMask([5, 5, 5]);
  stamp(mask, [1, 2, 3], { radius: 0, label: 2 });
  assert.equal(mask.data[offset(mask.size, [1, 2, 3])], 2);
  assert.equal(covered(mask, 2), 1);
});

test("a ball of 1 mm on voxels of 1 mm is a voxel and its six neighbors, a disc four", () => {
  const ball = aMask([7, 7, 7]);
  stamp(ball, [3, 3, 3], { radius: 1, label: 1 });
  assert.equal(covered(ball, 1), 7);
  for (const axis of [0, 1, 2]) {
    const disc = aMask([7, 7, 7]);
    stamp(disc, [3, 3, 3], { radius: 1, label: 1, axis });
    assert.equal(covered(disc, 1), 5);
  }
});

test("a brush covers exactly the voxels whose center is within the radius in mm", () => {
  const rng = random(11);
  for (let round = 0; round < 150; round += 1) {
    const before = aRandomMask(rng);
    const mask = { ...before, data: before.data.slice() };
    const center = mask.size.map((n) => rng.whole(-2, n + 1));
    const axis = [null, 0, 1, 2][rng.whole(0, 3)];
    const radius = 6 * rng.next();
    const erases = rng.next() < 0.3;
    const mayCover = rng.next() < 0.5;
    stamp(mask, center, { radius, label: 1, axis, erases, mayCover });
    for (const place of places(mask.size)) {
      const n = offset(mask.size, place);
      const away = place.map((p, a) => (p - center[a]) * mask.spacing[a]);
      const isInside = Math.hypot(...away) <= radius && (axis === null || away[axis] === 0);
      const had = before.data[n];
      const wanted = !isInside
        ? had
        : erases
          ? had === 1 ? 0 : had
          : had === 0 || mayCover ? 1 : had;
      assert.equal(mask.data[n], wanted, `round ${round}, ${place}`);
    }
  }
});

test("nothing changes outside the box that is told, which is told before it changes", () => {
  const rng = random(5);
  for (let round = 0; round < 60; round += 1) {
    const mask = aRandomMask(rng);
    const before = mask.data.slice();
    let told = null;
    const box = stamp(mask, mask.size.map((n) => rng.whole(-1, n)), {
      radius: 4 * rng.next(),
      label: 2,
      before: (ahead) => {
        told = ahead;
        assert.deepEqual(mask.data, before);
      },
    });
    assert.deepEqual(box, told);
    for (const place of places(mask.size)) {
      const isInside = box && place.every((p, a) => p >= box[0][a] && p < box[1][a]);
      const n = offset(mask.size, place);
      if (!isInside) assert.equal(mask.data[n], before[n]);
    }
  }
});

test("the eraser takes its own label alone", () => {
  const mask = aMask([3, 1, 1]);
  mask.data.set([1, 2, 1]);
  stamp(mask, [1, 0, 0], { radius: 5, label: 1, erases: true });
  assert.deepEqual([...mask.data], [0, 2, 0]);
});

test("a stroke leaves no gap and covers both ends", () => {
  const mask = aMask([60, 60, 1]);
  stroke(mask, [5, 8, 0], [50, 40, 0], { radius: 3, label: 1, axis: 2 });
  for (let n = 0; n <= 100; n += 1) {
    const share = n / 100;
    const place = [Math.round(5 + 45 * share), Math.round(8 + 32 * share), 0];
    assert.equal(mask.data[offset(mask.size, place)], 1, `${place}`);
  }
});

test("a line starts and ends where it should, and its steps are those of neighbors at most", () => {
  const rng = random(3);
  for (let round = 0; round < 100; round += 1) {
    const [from, to] = [0, 1].map(() => [0, 0, 0].map(() => rng.whole(0, 40)));
    const all = line(from, to, [0.7, 0.7, 2], 0);
    assert.deepEqual(all[0], from);
    assert.deepEqual(all.at(-1), to);
    for (let n = 1; n < all.length; n += 1) {
      assert.ok(all[n].every((p, a) => Math.abs(p - all[n - 1][a]) <= 1));
    }
  }
});

test("with a range of intensities only voxels in it are painted", () => {
  const rng = random(8);
  const mask = aMask([9, 9, 9]);
  const image = Int16Array.from(mask.data, () => rng.whole(-100, 100));
  stamp(mask, [4, 4, 4], { radius: 3.5, label: 1, only: between(image, -20, 50) });
  const all = aMask([9, 9, 9]);
  stamp(all, [4, 4, 4], { radius: 3.5, label: 1 });
  all.data.forEach((value, n) => {
    assert.equal(mask.data[n], value && image[n] >= -20 && image[n] <= 50 ? 1 : 0);
  });
  assert.ok(covered(mask, 1) > 0);
});

test("the range about a place holds what is there, and not another tissue", () => {
  const size = [20, 20, 1];
  const image = Int16Array.from({ length: 400 }, (_, n) => (n % 20 < 10 ? 40 + (n % 3) : 900));
  const [low, high] = rangeAt(image, size, [4, 10, 0]);
  assert.ok(low <= 40 && high >= 42 && high < 900);
});

test("gray is between black and white, and green is brighter than blue", () => {
  const rgba = [0, 0, 0, 255, 255, 255, 255, 255, 0, 255, 0, 255, 0, 0, 255, 255];
  const [black, white, green, blue] = gray(Uint8ClampedArray.from(rgba));
  assert.deepEqual([black, white], [0, 255]);
  assert.ok(green > blue);
});
