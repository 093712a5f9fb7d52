// The conclusion: the generated text stands until the reader writes one; that is kept as it is
// typed, and says so when findings changed after it was written.

import { button, el } from "../correct/dom.js";
import { t } from "../texts.js";
import { keep } from "../unsaved.js";

const IDLE_MS = 900; // of the keyboard, before the text is kept

export function showConclusion(host, session) {
  const editor = new Editor(host, session);
  keep(() => editor.isUnsaved, () => editor.flush());
  return { show: (told) => editor.show(told), flush: () => editor.flush() };
}

class Editor {
  #timer = 0;
  #kept = null; // what the server has: null while the generated text stands
  #isLost = false; // what was typed could not be kept, and stays here
  #sending = Promise.resolve();
  #generated = "";

  constructor(host, session) {
    this.session = session;
    this.badge = el("span", { class: "badge" });
    this.state = el("span", { class: "muted report-saved", role: "status" });
    this.area = el("textarea", { id: "report-own", rows: 5, maxlength: 20000, "aria-describedby": "report-stale" });
    this.area.addEventListener("input", () => this.#typed());
    this.area.addEventListener("blur", () => this.flush());
    this.stale = el("p", { class: "notice warn", id: "report-stale", role: "status", hidden: true }, t("report.js.stale"));
    this.write = button(t("report.js.write"), t("report.js.write"), () => this.#write());
    this.take = button(t("report.js.take"), t("report.js.take"), () => this.#take());
    const label = el("label", { for: "report-own" }, t("report.js.conclusion"));
    const head = el("div", { class: "row spread" }, el("h3", {}, label), this.badge);
    this.hint = el("p", { class: "muted" }, t("report.js.hint"));
    host.replaceChildren(head, this.hint, this.stale, this.area, el("div", { class: "row" }, this.write, this.take, this.state));
    this.#face(false);
  }

  /** Whether something was typed that is not kept. */
  get isUnsaved() {
    return this.#timer !== 0 || this.#isLost;
  }

  get #mayEdit() {
    return this.session.reading.may_edit ?? this.session.isOpen;
  }

  show({ generated, conclusion }) {
    this.#generated = generated;
    const isTyping = document.activeElement === this.area || this.#timer !== 0 || this.#isLost;
    if (!isTyping && conclusion.text !== this.#kept) {
      this.#kept = conclusion.text;
      this.area.value = conclusion.text ?? "";
    }
    this.stale.hidden = !conclusion.is_stale;
    this.#face(this.#kept !== null || isTyping);
  }

  /** Send what was typed and not kept yet; resolves to whether all of it is kept. */
  async flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const text = this.area.value.trim() || null;
    const isNew = text !== this.#kept || this.#isLost;
    if (!this.area.hidden && this.#mayEdit && isNew) this.#send(text);
    await this.#sending;
    return !this.#isLost;
  }

  #typed() {
    clearTimeout(this.#timer);
    this.state.textContent = t("report.js.saving");
    this.#timer = setTimeout(() => this.flush(), IDLE_MS);
  }

  #write() {
    this.area.value = this.#generated;
    this.#face(true);
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  #take() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.area.value = "";
    if (this.#kept !== null || this.#isLost) this.#send(null);
    this.#face(false);
    this.write.focus();
  }

  #send(text) {
    const before = this.#kept;
    this.#kept = text;
    this.state.textContent = t("report.js.saving");
    this.#sending = this.session.edit("conclude", "", text).then((key) => {
      this.#isLost = key === null;
      if (this.#isLost) this.#kept = before;
      this.state.textContent = t(this.#isLost ? "report.js.unsaved" : "report.js.saved");
    });
  }

  #face(isOwn) {
    this.badge.textContent = t(isOwn ? "report.js.own" : "report.js.stands");
    this.area.hidden = !isOwn;
    this.area.disabled = !this.#mayEdit;
    this.write.hidden = isOwn || !this.#mayEdit;
    this.take.hidden = !isOwn || !this.#mayEdit;
    this.hint.hidden = isOwn;
  }
}
