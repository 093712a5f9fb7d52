// How long somebody worked on a change, and with how many clicks. Time counts from one sign of
// life (pointer, key, wheel) to the next; a pause of over a minute counts for nothing.

import { isWriting } from "./dom.js";

const IDLE_S = 60;

export class Effort {
  #now;
  #last;
  #seconds = 0;
  #clicks = 0;

  /** `now()` gives seconds; the first stretch begins at once. */
  constructor(now = () => performance.now() / 1000) {
    this.#now = now;
    this.#last = now();
  }

  /** Note a sign of life. */
  stir() {
    const now = this.#now();
    if (now - this.#last <= IDLE_S) this.#seconds += now - this.#last;
    this.#last = now;
  }

  /** Note a press of a button or key. */
  click() {
    this.stir();
    this.#clicks += 1;
  }

  /** What has been spent since the last time this was asked: {seconds, clicks}. */
  take() {
    this.stir();
    const spent = { seconds: Math.round(this.#seconds * 10) / 10, clicks: this.#clicks };
    [this.#seconds, this.#clicks] = [0, 0];
    return spent;
  }

  /** Put back what was taken for a change that did not come about. */
  back({ seconds, clicks }) {
    this.#seconds += seconds;
    this.#clicks += clicks;
  }

  /** A key that is a command counts as a click; letters of a remark, and keys held down, do not. */
  #key(event) {
    if (event.repeat || isWriting(event.target)) this.stir();
    else this.click();
  }

  /** Listen to a page. */
  watch(target) {
    for (const kind of ["pointermove", "wheel"]) {
      target.addEventListener(kind, () => this.stir(), { passive: true, capture: true });
    }
    target.addEventListener("pointerdown", () => this.click(), { capture: true });
    target.addEventListener("keydown", (event) => this.#key(event), { capture: true });
  }
}
