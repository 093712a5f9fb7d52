// The mask as the page works on it: every change is a step that can be undone, shows at once, and
// is saved.

import { say, send } from "../http.js";
import { lang, t } from "../texts.js";
import { decode, encode, pack, unpack } from "./bits.js";
import { stroke } from "./brush.js";
import { History } from "./history.js";
import { fillHoles, keepLargest, removeSmall } from "./islands.js";
import { around, boundsOf, count, crop, extent, overlay, put, union } from "./region.js";

const BETWEEN = "between"; // of a step that filled gaps between slices

export class Masking extends EventTarget {
  #marks = null;
  #stroke = null; // {label, axis, slices}: what is being painted slice by slice

  /** Tells of itself: `edited` when voxels or segments change, `segments`, `changed` of anything. */
  constructor(session, view) {
    super();
    this.session = session;
    this.view = view;
    this.history = new History(view.mask);
    this.segments = [...(session.reading.segments ?? [])];
    this.label = this.segments[0]?.number ?? 1;
    this.mayCover = true; // whether other segments are painted over
  }

  get mask() {
    return this.view.mask;
  }

  /** Whether there is such a segment. */
  has(label) {
    return this.segments.some(({ number }) => number === label);
  }

  /** Choose the segment that is painted. */
  choose(label) {
    this.label = label;
    this.forgetMarks();
    this.dispatchEvent(new Event("changed"));
  }

  /** Take other descriptions of the segments, and keep the choice if it is among them. */
  setSegments(segments, label = this.label) {
    this.segments = [...segments];
    const numbers = this.segments.map(({ number }) => number);
    this.dispatchEvent(new Event("segments"));
    this.choose(numbers.includes(label) ? label : (numbers[0] ?? 1));
  }

  /** Describe a new segment and choose it. */
  addSegment(segment) {
    this.setSegments([...this.segments, segment], segment.number);
    this.#changed();
  }

  /** Paint along a line; call `commit` when the stroke ends. */
  paint(from, to, options) {
    const box = stroke(this.mask, from, to, {
      mayCover: this.mayCover,
      ...options,
      label: this.label,
      before: (ahead) => this.history.touch(ahead),
    });
    if (box) this.view.mask.changed(box);
    const { axis = null } = options;
    if (box && axis !== null) {
      this.#stroke ??= { label: this.label, axis, slices: new Set() };
      this.#stroke.slices.add(to[axis]);
    }
  }

  /** End a stroke. */
  commit() {
    this.forgetMarks();
    if (this.history.commit(this.#stroke)) this.#changed();
    this.#stroke = null;
  }

  undo() {
    if (this.session.isOpen) this.#show(this.history.undo());
  }

  redo() {
    if (this.session.isOpen) this.#show(this.history.redo());
  }

  keepLargest() {
    this.#put(keepLargest(this.mask, this.label), { unless: "correct.js.one_piece" });
  }

  removeSmall(least) {
    this.#put(removeSmall(this.mask, this.label, least), { unless: "correct.js.none_small" });
  }

  fillHoles(axis) {
    this.#put(fillHoles(this.mask, this.label, axis), { unless: "correct.js.no_holes" });
  }

  /** Fill the slices between those painted by hand, or between those that have the segment. */
  async fillBetween(axis) {
    const box = boundsOf(this.mask, this.label);
    if (!box) return say(t("correct.js.draw_two"));
    const bits = crop(this.mask, box, this.label);
    const drawn = this.#slices(axis, box, bits);
    const isGap = drawn.some((n, at) => at > 0 && n - drawn[at - 1] > 1);
    if (drawn.length < 2 || !isGap) return say(t("correct.js.draw_two"));
    const low = Math.min(box[0][axis], drawn[0]);
    const high = Math.max(box[1][axis], drawn.at(-1) + 1);
    const { label, done } = { label: this.label, done: this.history.notes };
    const whole = [box[0].with(axis, low), box[1].with(axis, high)];
    const answer = await send("POST", `${this.session.url}/between`, {
      axis,
      drawn,
      spacing: this.mask.spacing,
      box: whole,
      mask: encode(pack(crop(this.mask, whole, this.label))),
    });
    const isSame = label === this.label && done.length === this.history.notes.length;
    if (!isSame) return say(t("correct.js.painted_since")); // it would be undone unseen
    const filled = unpack(decode(answer.mask), count(answer.box));
    this.#put({ box: answer.box, bits: filled }, { note: BETWEEN });
  }

  /**
   * Refine the segment by marks; those since the last change of another kind count together,
   * each on the mask as it was before the first.
   */
  async mark(inside, outside, reach) {
    const marks = (this.#marks ??= { inside: [], outside: [], box: null, bits: null, turn: 0 });
    const before = { ...marks, inside: [...marks.inside], outside: [...marks.outside] };
    marks.inside.push(...inside);
    marks.outside.push(...outside);
    this.dispatchEvent(new Event("marks"));
    marks.turn += 1;
    const { turn } = marks;
    const { size, spacing } = this.mask;
    const margin = spacing.map((mm) => Math.ceil(reach / mm));
    const box = union(around([...marks.inside, ...marks.outside], margin, size), marks.box);
    const bits = crop(this.mask, box, this.label);
    if (marks.box) overlay(box, bits, marks.box, marks.bits);
    [marks.box, marks.bits] = [box, bits];
    const asked = {
      segment: this.label,
      inside: marks.inside,
      outside: marks.outside,
      reach,
      box,
      mask: encode(pack(bits)),
    };
    try {
      const answer = await send("POST", `${this.session.url}/refine`, asked);
      if (this.#marks !== marks || turn !== marks.turn) return; // a later answer has all marks
      const found = unpack(decode(answer.mask), count(answer.box));
      this.#put({ box: answer.box, bits: found }, { keepsMarks: true });
    } catch {
      this.#setMarks(before.box ? before : null);
    }
  }

  /** The marks that count together: {index, isOutside}. */
  get dots() {
    const { inside, outside } = this.#marks ?? { inside: [], outside: [] };
    const as = (isOutside) => (index) => ({ index, isOutside });
    return [...inside.map(as(false)), ...outside.map(as(true))];
  }

  /** Let the next mark begin anew. */
  forgetMarks() {
    this.#setMarks(null);
  }

  #setMarks(marks) {
    this.#marks = marks;
    this.dispatchEvent(new Event("marks"));
  }

  #put(found, { unless = "", keepsMarks = false, note = null } = {}) {
    if (!found) return say(t(unless));
    this.history.commit();
    this.history.touch(found.box);
    put(this.mask, found.box, found.bits, this.label, this.mayCover);
    this.view.mask.changed(found.box);
    if (!keepsMarks) this.forgetMarks();
    if (this.history.commit(note)) this.#changed();
    return undefined;
  }

  #show(boxes) {
    this.forgetMarks();
    const whole = boxes.reduce(union, null);
    if (!whole) return;
    this.view.mask.changed(whole);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("edited"));
    this.dispatchEvent(new Event("changed"));
  }

  /** Slices painted by hand since gaps were filled last; if there are none, those that have it. */
  #slices(axis, box, bits) {
    const { notes } = this.history;
    const since = notes.slice(notes.lastIndexOf(BETWEEN) + 1);
    const strokes = since.filter((note) => note?.label === this.label && note.axis === axis);
    const byHand = new Set(strokes.flatMap(({ slices }) => [...slices]));
    if (byHand.size > 1) return [...byHand].sort((a, b) => a - b);
    const size = extent(box);
    const held = new Set();
    bits.forEach((bit, n) => {
      if (!bit) return;
      const row = Math.floor(n / size[0]);
      const where = [n % size[0], row % size[1], Math.floor(row / size[1])];
      held.add(where[axis] + box[0][axis]);
    });
    return [...held].sort((a, b) => a - b);
  }
}

/** Send the mask whole, and take the reading that the server answers. */
export async function saveMask(session, body, segments) {
  const spent = session.effort.take();
  const query = new URLSearchParams({
    expected: session.reading.number,
    seconds: spent.seconds,
    clicks: spent.clicks,
    lang,
  });
  const known = new Set(session.reading.segments.map(told));
  const changed = segments.map(told).filter((each) => !known.has(each));
  if (changed.length) query.set("segments", `[${changed}]`);
  try {
    return await send("PUT", `${session.url}/mask?${query}`, body, { quiet: true });
  } catch (error) {
    session.effort.back(spent);
    throw error;
  }
}

/** A segment by its own name, not that in the reader's language. */
function told({ label: _, ...segment }) {
  return JSON.stringify(segment);
}
