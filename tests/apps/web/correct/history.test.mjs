import assert from "node:assert/strict";
import { test } from "node:test";

import { stamp } from "../static/correct/brush.js";
import { History } from "../static/correct/history.js";
import { aMask, aRandomMask, random } from "./drawn.mjs";

function paintAtRandom(mask, history, rng) {
  for (let n = rng.whole(1, 3); n > 0; n -= 1) {
    stamp(mask, mask.size.map((each) => rng.whole(0, each - 1)), {
      radius: 20 * rng.next(),
      label: rng.whole(1, 4),
      erases: rng.next() < 0.3,
      before: (box) => history.touch(box),
    });
  }
  return history.commit();
}

test("undo goes back step by step, redo forth, to the voxel", () => {
  const rng = random(2);
  for (let round = 0; round < 25; round += 1) {
    const mask = aRandomMask(rng, { most: 45 });
    const history = new History(mask);
    const states = [mask.data.slice()];
    for (let n = 0; n < 8; n += 1) {
      if (paintAtRandom(mask, history, rng)) states.push(mask.data.slice());
    }
    let at = states.length - 1;
    for (let n = 0; n < 40; n += 1) {
      const forth = rng.next() < 0.5;
      assert.equal(history.canRedo, at < states.length - 1);
      assert.equal(history.canUndo, at > 0);
      if (forth && history.canRedo) {
        history.redo();
        at += 1;
      } else if (!forth && history.canUndo) {
        history.undo();
        at -= 1;
      }
      assert.deepEqual(mask.data, states[at]);
    }
  }
});

test("boxes that undo tells hold all that changed", () => {
  const rng = random(4);
  const mask = aMask([70, 70, 20]);
  const history = new History(mask);
  paintAtRandom(mask, history, rng);
  const before = mask.data.slice();
  const boxes = history.undo();
  mask.data.forEach((value, n) => {
    if (value === before[n]) return;
    const place = [n % 70, Math.floor(n / 70) % 70, Math.floor(n / 4900)];
    assert.ok(boxes.some(([low, high]) => place.every((p, a) => p >= low[a] && p < high[a])));
  });
});

test("notes stay with their steps", () => {
  const mask = aMask([10, 10, 10]);
  const history = new History(mask);
  for (const x of [1, 2, 3]) {
    stamp(mask, [x, 1, 1], { radius: 0, label: 1, before: (box) => history.touch(box) });
    history.commit(`at ${x}`);
  }
  history.undo();
  assert.deepEqual(history.notes, ["at 1", "at 2"]);
  history.redo();
  assert.deepEqual(history.notes, ["at 1", "at 2", "at 3"]);
});

test("a step that changes nothing is none", () => {
  const mask = aMask([10, 10, 10]);
  const history = new History(mask);
  history.touch([[0, 0, 0], [10, 10, 10]]);
  assert.equal(history.commit(), false);
  assert.equal(history.canUndo, false);
  assert.deepEqual(history.undo(), []);
});

test("painting after an undo forgets what could be done again", () => {
  const mask = aMask([10, 10, 10]);
  const history = new History(mask);
  for (const x of [1, 2]) {
    stamp(mask, [x, 1, 1], { radius: 0, label: 1, before: (box) => history.touch(box) });
    history.commit();
  }
  history.undo();
  stamp(mask, [5, 1, 1], { radius: 0, label: 1, before: (box) => history.touch(box) });
  history.commit();
  assert.equal(history.canRedo, false);
  history.undo();
  assert.equal(mask.data.reduce((sum, n) => sum + n, 0), 1);
});

test("memory is bounded: the oldest steps go, the last one stays", () => {
  const rng = random(9);
  const mask = aRandomMask(rng, { most: 1 });
  const large = aMask([64, 64, 64]);
  large.data.forEach((_, n) => {
    large.data[n] = rng.whole(0, 3);
  });
  const history = new History(large, 100_000);
  for (let n = 0; n < 30; n += 1) {
    paintAtRandom(large, history, rng);
    assert.ok(history.canUndo);
  }
  assert.ok(history.bytes <= 100_000 || !new History(mask).canUndo);
  let steps = 0;
  while (history.canUndo) {
    history.undo();
    steps += 1;
  }
  assert.ok(steps >= 1 && steps < 30);
});

test("painting on an empty volume takes little memory", () => {
  const mask = aMask([256, 256, 64]);
  const history = new History(mask);
  stamp(mask, [128, 128, 32], { radius: 100, label: 1, before: (box) => history.touch(box) });
  history.commit();
  assert.ok(history.bytes < 100_000, `${history.bytes} bytes`);
});
