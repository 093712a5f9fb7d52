import assert from "node:assert/strict";
import { test } from "node:test";

import { stroke } from "../static/correct/brush.js";
import { MARKS, Tools } from "../static/correct/tools.js";
import { aMask } from "./drawn.mjs";

/** A view that hands its tool over, and what is drawn with it. */
function drawing(size) {
  const mask = aMask(size);
  const masking = new EventTarget();
  masking.session = Object.assign(new EventTarget(), { isOpen: true });
  masking.dots = [];
  masking.marked = [];
  masking.mark = (inside, outside) => masking.marked.push({ inside, outside });
  masking.forgetMarks = () => {};
  masking.commit = () => {};
  masking.paint = (from, to, options) => stroke(mask, from, to, { ...options, label: 1 });
  const view = { size, spacing: [1, 1, 1], slice: () => ({ axis: 2 }), hand: null };
  view.setTool = (_name, handlers) => (view.hand = handlers);
  const tools = new Tools(masking, view);
  const clipped = (at) => at.map((n, axis) => Math.max(0, Math.min(size[axis] - 1, n)));
  const point = (at) => ({ at, index: clipped(at), axis: 2, button: 0 });
  return { mask, masking, view, tools, point };
}

const painted = ({ data }) => [...data].filter(Boolean).length;

test("a stroke that leaves the image and goes along it outside paints nothing there", () => {
  const { mask, view, tools, point } = drawing([9, 9, 1]);
  tools.take("brush");
  tools.set({ radius: 1 });
  view.hand.down(point([-5, 1, 0]));
  view.hand.move(point([-5, 8, 0]));
  view.hand.up(point([-5, 8, 0]));
  assert.equal(painted(mask), 0);
});

test("a brush beside the image paints what lies within its radius", () => {
  const { mask, view, tools, point } = drawing([9, 9, 1]);
  tools.take("brush");
  tools.set({ radius: 2 });
  view.hand.down(point([-1, 4, 0]));
  assert.equal(painted(mask), 4); // (0, 3), (0, 4), (0, 5) and (1, 4)
});

test("marks outside of the image are none", () => {
  const { masking, view, tools, point } = drawing([9, 9, 1]);
  tools.take(MARKS);
  view.hand.down(point([-3, 4, 0]));
  view.hand.up(point([-3, 4, 0]));
  assert.deepEqual(masking.marked, []);
  view.hand.down(point([-3, 4, 0]));
  view.hand.move(point([2, 4, 0]));
  view.hand.move(point([20, 4, 0]));
  view.hand.up(point([20, 4, 0]));
  assert.deepEqual(masking.marked, [{ inside: [[2, 4, 0]], outside: [] }]);
});
