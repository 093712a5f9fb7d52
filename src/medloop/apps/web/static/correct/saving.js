// Keeps a mask saved: two seconds after the last change, one request at a time. What is not
// saved stays marked so, whatever fails, and is tried again.

export const SAVED = "saved";
export const UNSAVED = "unsaved";
export const SAVING = "saving";
export const FAILED = "failed";
export const CONFLICT = "conflict";

const RETRY_MS = 10_000;

export class Saving {
  #save;
  #tell;
  #later;
  #wait;
  #timer = null;
  #changes = 0;
  #saved = 0;
  #running = null;
  state = SAVED;

  /**
   * `save()` sends the mask: resolves to "saved", or "conflict" where somebody else saved one;
   * throws if it failed. `tell(state, error)` shows the state. `later` is for tests.
   */
  constructor(save, tell, { wait = 2000, later = globalThis } = {}) {
    [this.#save, this.#tell, this.#wait, this.#later] = [save, tell, wait, later];
  }

  get isSaved() {
    return this.#changes === this.#saved && this.#running === null;
  }

  /** Something changed: save it soon. */
  changed() {
    this.#changes += 1;
    if (this.state !== CONFLICT) this.#show(this.#running ? SAVING : UNSAVED);
    if (this.state !== CONFLICT) this.#plan(this.#wait);
  }

  /** Save at once what is not saved; resolves when it is, or cannot be. */
  async flush() {
    this.#later.clearTimeout(this.#timer);
    while (this.state !== CONFLICT && (this.#running || this.#changes !== this.#saved)) {
      const ended = await (this.#running ?? this.#start());
      if (!ended) return;
    }
  }

  /** End a conflict: keep what is here (it is saved over the other) or take what is there. */
  settle(keepsMine) {
    if (this.state !== CONFLICT) return;
    this.#show(keepsMine ? UNSAVED : SAVED);
    if (keepsMine) this.#plan(0);
    else this.#saved = this.#changes;
  }

  #plan(ms) {
    this.#later.clearTimeout(this.#timer);
    this.#timer = this.#later.setTimeout(() => {
      if (!this.#running) this.#start();
    }, ms);
  }

  /** Send what is here now; resolves to whether that went well. */
  #start() {
    const upTo = this.#changes;
    this.#show(SAVING);
    this.#running = this.#send(upTo);
    return this.#running;
  }

  async #send(upTo) {
    try {
      const outcome = await this.#save();
      this.#running = null;
      if (outcome === CONFLICT) {
        this.#show(CONFLICT);
        return false;
      }
      this.#saved = upTo;
      this.#show(this.#changes === upTo ? SAVED : UNSAVED);
      if (this.#changes !== upTo) this.#plan(this.#wait);
      return true;
    } catch (error) {
      this.#running = null;
      this.#show(FAILED, error);
      this.#plan(RETRY_MS);
      return false;
    }
  }

  #show(state, error = null) {
    this.state = state;
    this.#tell(state, error);
  }
}
