// What the pointer does: picks once, a tool in hand, or lengths; the same on volumes and pictures.

export const MEASURE = "measure";

/** Tells of `lengths` when one is measured or forgotten. */
export class Hands extends EventTarget {
  #picks = new Set();
  #handlers = null;
  #length = null;

  constructor(spacing, redraw) {
    super();
    this.spacing = spacing;
    this.redraw = redraw;
    this.tool = null;
    this.lengths = []; // {from, to, axis, slice}, places [x, y, z]
    this.dots = []; // {index, isOutside}: what a reader has marked
    this.cursor = null; // radius in mm of a round brush
  }

  /** Be told of the next places that are pointed at; returns what ends it. */
  onPick(callback) {
    this.#picks.add(callback);
    return () => this.#picks.delete(callback);
  }

  /** Take a tool in hand: "measure", or handlers {down, move, up} of another; null for none. */
  take(name, handlers = null) {
    this.tool = name;
    this.#handlers = handlers;
    if (!name) this.cursor = null;
    this.redraw();
  }

  get isFree() {
    return !this.tool && !this.#picks.size;
  }

  /** Whether a tool wants the right button for itself. */
  get takesRight() {
    return Boolean(this.#handlers);
  }

  /** Let the tool act on a place {index, axis, slice, mm}; false if there is none in hand. */
  act(phase, place, event) {
    if (this.#picks.size) {
      if (phase === "down") for (const pick of [...this.#picks]) pick(place);
      return true;
    }
    const told = { ...place, altKey: event.altKey, shiftKey: event.shiftKey, button: event.button };
    if (this.#handlers) {
      this.#handlers[phase]?.(told);
      return true;
    }
    if (this.tool !== MEASURE) return false;
    this.#measure(phase, place);
    return true;
  }

  #measure(phase, { index, axis, slice }) {
    if (phase === "down") {
      this.#length = { from: index, to: index, axis, slice };
      this.lengths.push(this.#length);
    } else if (this.#length && this.#length.axis === axis) {
      this.#length.to = index;
    }
    if (phase === "up" && this.#length) {
      if (this.millimetres(this.#length) < Math.min(...this.spacing)) this.lengths.pop();
      this.#length = null;
      this.dispatchEvent(new Event("lengths"));
    }
    this.redraw();
  }

  /** How long a length is: mm, or pixels on pictures without spacing. */
  millimetres({ from, to }) {
    return Math.hypot(...from.map((n, axis) => (n - to[axis]) * this.spacing[axis]));
  }

  setDots(dots) {
    this.dots = dots;
    this.redraw();
  }

  forgetLengths() {
    this.lengths = [];
    this.dispatchEvent(new Event("lengths"));
    this.redraw();
  }
}
