// What the pointer does on the image: brush, eraser, marks that refine.

import { between, rangeAt } from "./threshold.js";

export const NONE = "none";
export const BRUSH = "brush";
export const ERASER = "eraser";
export const MARKS = "marks";

/** Settings of the tools, and the tools themselves on a view. */
export class Tools extends EventTarget {
  #last = null;
  #scribble = null;

  constructor(masking, view) {
    super();
    this.masking = masking;
    this.view = view;
    this.tool = NONE;
    const isFlat = view.size[2] === 1;
    this.radius = Math.max(5 * Math.min(...view.spacing.slice(0, 2)), 2);
    this.isBall = false;
    this.range = null; // [low, high] of what may be painted, in the image's unit
    this.reach = isFlat ? Math.round(0.05 * Math.max(...view.size) * view.spacing[0]) : 12;
    this.marksOutside = false;
    masking.addEventListener("marks", () => this.#showDots());
    masking.session.addEventListener?.("changed", () => this.#close());
    view.addEventListener?.("tool", () => this.#follow());
  }

  /** Take a tool in hand, or lay it down if it was. */
  take(tool) {
    if (!this.masking.session.isOpen) return;
    this.tool = this.tool === tool ? NONE : tool;
    this.masking.forgetMarks();
    const handlers = { [MARKS]: () => this.#marking(), [NONE]: () => null }[this.tool] ?? (() => this.#painting());
    this.view.setTool(this.tool === NONE ? null : this.tool, handlers());
    if (this.tool !== NONE) this.view.setOverlay?.("labels", { visible: true }); // nobody paints unseen
    this.#tell();
  }

  /** Change settings. */
  set(settings) {
    Object.assign(this, settings);
    this.#tell();
  }

  /** Radius of the brush in the next larger or smaller step. */
  step(by) {
    const finest = Math.min(...this.view.spacing.slice(0, 2));
    const radius = by > 0 ? Math.max(this.radius * 1.25, this.radius + finest / 2) : this.radius / 1.25;
    this.set({ radius: Math.round(100 * Math.min(Math.max(radius, finest / 2), 60)) / 100 });
  }

  /** Take the range of intensities about a place, in the image's unit. */
  rangeAbout(index) {
    const { image, size } = this.view;
    const { slope, intercept } = this.#scale;
    if (!image) return;
    const range = rangeAt(image, size, index).map((n) => Number((n * slope + intercept).toPrecision(4)));
    this.set({ range });
  }

  /** How stored intensities become those of the unit: slope * stored + intercept. */
  get #scale() {
    const { slope = 1, intercept = 0 } = this.view.scene ?? {};
    return { slope, intercept };
  }

  /** What tells whether a voxel may be painted; null if all may. */
  #only() {
    if (!this.range || !this.view.image) return null;
    const { slope, intercept } = this.#scale;
    return between(this.view.image, ...this.range.map((value) => (value - intercept) / slope));
  }

  /** Lay the tool down once the reading may not be changed any more. */
  #close() {
    if (this.masking.session.isOpen || this.tool === NONE) return;
    this.tool = NONE;
    this.masking.forgetMarks();
    this.view.setTool(null, null);
    this.#tell();
  }

  /** Lay the tool down if the view was given another one. */
  #follow() {
    const inHand = this.view.hands?.tool ?? null;
    if (this.tool === NONE || inHand === this.tool) return;
    this.tool = NONE;
    this.dispatchEvent(new Event("changed"));
  }

  #tell() {
    this.view.setCursor?.(this.tool === BRUSH || this.tool === ERASER ? this.radius : null);
    this.dispatchEvent(new Event("changed"));
  }

  /** Show the marks that count together, and those of the scribble that is being drawn. */
  #showDots() {
    const { isOutside, places } = this.#scribble ?? { places: [] };
    const drawn = places.map((index) => ({ index, isOutside }));
    this.view.hands?.setDots([...this.masking.dots, ...drawn]);
  }

  #painting() {
    const paint = (from, to, across) => {
      const isBall = this.isBall && this.view.size[2] > 1;
      const axis = isBall ? null : (across ?? this.view.slice().axis);
      this.masking.paint(from, to, {
        radius: this.radius,
        axis,
        only: this.#only(),
        erases: this.tool === ERASER,
      });
      this.#last = to;
    };
    return {
      down: (event) => {
        const at = indexOf(event);
        paint(at, at, event.axis);
      },
      move: (event) => {
        const at = indexOf(event);
        if (this.#last && at.some((n, axis) => n !== this.#last[axis])) paint(this.#last, at, event.axis);
      },
      up: () => {
        this.#last = null;
        this.masking.commit();
      },
    };
  }

  #marking() {
    return {
      down: (event) => {
        const isOutside = this.marksOutside !== Boolean(event.altKey || event.button === 2);
        this.#scribble = { isOutside, places: [indexOf(event)].filter((at) => this.#isInside(at)) };
        this.#showDots();
      },
      move: (event) => {
        const places = this.#scribble?.places;
        const at = indexOf(event);
        if (!places || !this.#isInside(at)) return;
        if (places.length && at.every((n, axis) => n === places.at(-1)[axis])) return;
        places.push(at);
        this.#showDots();
      },
      up: () => {
        const scribble = this.#scribble;
        this.#scribble = null;
        if (!scribble?.places.length) return this.#showDots();
        const places = thinned(scribble.places);
        this.masking.mark(
          scribble.isOutside ? [] : places,
          scribble.isOutside ? places : [],
          this.reach,
        );
        return undefined;
      },
    };
  }

  #isInside(at) {
    return at.every((n, axis) => n >= 0 && n < this.view.size[axis]);
  }
}

/** The voxel of an event of the view; it may lie outside of the image, where nothing is drawn. */
function indexOf(event) {
  return (event.at ?? event.index ?? event).map(Math.round);
}

/** No more places than the server takes. */
function thinned(places, most = 500) {
  const step = Math.ceil(places.length / most);
  return places.filter((_, n) => n % step === 0);
}
