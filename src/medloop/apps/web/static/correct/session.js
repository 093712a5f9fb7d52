// A reading as the page knows it. Edits go to the server one after the other; what they change
// shows at once, and goes back if the server refuses.

import { getJson, say, send } from "../http.js";
import { lang, t } from "../texts.js";
import { Effort } from "./effort.js";

export class Session extends EventTarget {
  #queue = Promise.resolve();
  #undo = [];
  #waiting = 0; // edits that have not arrived
  #known; // the reading as the server told it

  constructor(reading, effort = new Effort()) {
    super();
    this.reading = reading;
    this.#known = reading;
    this.effort = effort;
  }

  get url() {
    return `/api/readings/${this.reading.id}`;
  }

  /** Whether the reader may still change it. */
  get isOpen() {
    return this.reading.may_edit;
  }

  /** Whether edits are on their way. */
  get isSending() {
    return this.#waiting > 0;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  finding(key) {
    return this.reading.findings.find((each) => each.key === key);
  }

  /** Take the server's word for how the reading stands. */
  replace(reading) {
    this.#known = reading;
    this.#show(reading);
  }

  #show(reading) {
    this.reading = reading;
    this.dispatchEvent(new Event("changed"));
  }

  /** Ask the server again. */
  async reload() {
    this.replace(await getJson(`${this.url}?lang=${lang}`));
  }

  accept(key) {
    return this.edit("accept", key, null, { shown: (each) => ({ ...each, state: "accepted" }) });
  }

  reject(key) {
    return this.edit("reject", key, null, { shown: (each) => ({ ...each, state: "rejected" }) });
  }

  restore(key) {
    return this.edit("restore", key, null, {
      shown: (each) => ({ ...each, ...each.before, key, state: "proposed" }),
    });
  }

  change(key, fields) {
    const state = this.finding(key)?.state === "added" ? "added" : "changed";
    return this.edit("change", key, fields, {
      shown: (each) => ({ ...each, ...fields, state, label: undefined }),
    });
  }

  add(fields) {
    return this.edit("add", "", fields);
  }

  remove(key) {
    return this.edit("remove", key, null, { shown: () => null });
  }

  assess(name, value) {
    return this.edit("assess", name, value);
  }

  /** Take the last edit of a finding or assessment back, by an edit that says the opposite. */
  undo() {
    const last = this.#undo.pop();
    if (!last) return Promise.resolve();
    return this.edit(...last, { isUndo: true });
  }

  /**
   * Send an edit after those that wait. `shown` makes of the finding what the page shows meanwhile,
   * null where it is gone.
   */
  edit(action, target, after, { shown = null, isUndo = false } = {}) {
    const before = this.finding(target);
    const opposite = isUndo ? null : this.#opposite(action, target, before);
    const spent = this.effort.take();
    if (before && shown) {
      const findings = this.reading.findings.flatMap((each) => {
        const made = each.key === target ? shown(each) : each;
        return made ? [made] : [];
      });
      this.#show({ ...this.reading, findings });
    }
    this.#waiting += 1;
    const sent = this.#queue
      .then(() => this.#send({ action, target, after }, spent, opposite))
      .finally(() => (this.#waiting -= 1));
    this.#queue = sent.catch(() => {});
    return sent;
  }

  /** Let everything arrive that was changed; whoever draws a mask replaces this. */
  async flush() {
    await this.#queue;
    return true;
  }

  /** Do something that needs to know the number of the last edit, after the edits that wait. */
  after(act) {
    const done = this.#queue.then(act);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #send({ action, target, after }, spent, opposite) {
    const known = new Set(this.reading.findings.map((each) => each.key));
    const sent = { expected: this.reading.number, action, target, after, ...spent };
    if (action === "add" && !target) sent.target = this.#nextKey();
    try {
      const reading = await send("POST", `${this.url}/edits?lang=${lang}`, sent, { quiet: true });
      const key = reading.findings.find((each) => !known.has(each.key))?.key ?? target;
      if (opposite) this.#undo.push(opposite(key));
      this.replace(reading);
      return key;
    } catch (error) {
      this.effort.back(spent);
      await this.reload().catch(() => this.replace(this.#known)); // no edit shows that was lost
      say(error.status === 409 ? t("correct.js.stale") : error.message, "bad");
      return null;
    }
  }

  #nextKey() {
    const added = this.reading.added ?? this.reading.findings.filter((each) => each.key.startsWith("a")).length;
    return `a${added + 1}`;
  }

  #opposite(action, target, before) {
    if (action === "add") return (key) => ["remove", key, null];
    if (action === "remove") return () => ["restore", target, null];
    if (action === "assess") {
      const value = this.reading.assessments?.[target] ?? null;
      return () => ["assess", target, value];
    }
    if (!before) return null;
    const back = {
      accepted: ["accept", target, null],
      rejected: ["reject", target, null],
      changed: ["change", target, fieldsOf(before)],
      added: ["change", target, fieldsOf(before)],
      proposed: ["restore", target, null],
    }[before.state];
    return () => back;
  }
}

/** The fields of a finding that a reader may change. */
export function fieldsOf({ concept, site = null, measurements = [], comment = "", segment = null }) {
  return { concept, site, measurements, comment, segment };
}
