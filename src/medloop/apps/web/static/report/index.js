// The report of a reading: its sentences, which change as findings do, the reader's own
// conclusion, a preview, the signature, and what was signed.

import { button, el } from "../correct/dom.js";
import { getJson, say } from "../http.js";
import { lang, t } from "../texts.js";
import { showConclusion } from "./conclusion.js";
import { openPreview } from "./preview.js";
import { openSigning } from "./signing.js";
import { isUnderWay, showVersions } from "./versions.js";

const SETTLE_MS = 250; // after an edit, before sentences are asked for
const NOT_MINE = new Set(["result", "prior", "rules"]); // parts of a report that no edit of it changes
const LOOK_MS = 1500; // while documents are made and sent

/**
 * Show the report of a reading in an element; `session` sends edits and tells of changes.
 * Returns {refresh, told}: the last answer of the server is `told()`.
 */
export async function mountReport(host, session) {
  const report = new Report(host, session);
  await report.refresh();
  report.welcome();
  return { refresh: () => report.refresh(), told: () => report.told };
}

class Report {
  #timer = 0;
  #asked = 0;

  constructor(host, session) {
    this.session = session;
    this.told = null;
    host.classList.add("report");
    this.sentences = el("div", { class: "report-sentences", "aria-live": "polite", "aria-atomic": true });
    const generated = el("section", { "aria-label": t("report.js.generated") }, el("h3", {}, t("report.js.generated")), this.sentences);
    this.preview = button(t("report.js.preview"), t("report.js.preview"), () => this.#openPreview(), { class: "report-preview" });
    this.sign = button(t("report.js.sign"), t("report.js.sign"), () => this.#openSigning(), { class: "primary report-sign" });
    this.refusal = el("p", { class: "muted report-refusal", id: "report-refusal", hidden: true });
    this.sign.setAttribute("aria-describedby", "report-refusal");
    const conclusion = el("section", { class: "report-conclusion" });
    const versions = el("section", { class: "report-versions", "aria-label": t("report.js.versions") });
    const head = el("div", { class: "row spread" }, el("h2", {}, t("report.js.title")), el("div", { class: "row" }, this.preview, this.sign));
    host.replaceChildren(head, this.refusal, generated, conclusion, versions);
    this.conclusion = showConclusion(conclusion, session);
    this.versions = showVersions(versions, session, () => this.refresh());
    session.addEventListener("changed", () => this.#changed());
  }

  /** Ask the server for the sentences; an answer that was overtaken by another is dropped. */
  async refresh() {
    clearTimeout(this.#timer);
    const turn = ++this.#asked;
    let told;
    try {
      told = await getJson(`${this.session.url}/report?lang=${lang}`, { quiet: true });
    } catch {
      this.#later(4 * LOOK_MS);
      return;
    }
    if (turn === this.#asked) this.#show(told);
  }

  /** Say what was signed to who comes back from the provider of their account. */
  welcome() {
    const here = new URL(location.href);
    const number = Number(here.searchParams.get("signed"));
    if (!number) return;
    here.searchParams.delete("signed");
    history.replaceState(history.state, "", here);
    if (this.told?.versions.some((each) => each.number === number)) say(t("report.js.signed", { number }), "ok");
  }

  #changed() {
    if (this.told && this.session.reading.number === this.told.number) return;
    this.#later(SETTLE_MS);
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), wait);
  }

  #show(told) {
    const isNew = JSON.stringify(told.sentences) !== JSON.stringify(this.told?.sentences);
    this.told = told;
    if (isNew) this.sentences.replaceChildren(...told.sentences.map(sentence));
    this.conclusion.show(told);
    this.versions.show(told.versions);
    this.sign.disabled = !told.may_sign;
    this.refusal.textContent = told.refusal;
    this.refusal.hidden = told.may_sign;
    if (told.versions.some(isUnderWay)) this.#later(LOOK_MS);
  }

  /** Let everything arrive that was drawn and written; resolves to whether it has. */
  async #keep() {
    return (await this.conclusion.flush()) && ((await this.session.flush?.()) ?? true);
  }

  async #openPreview() {
    if (await this.#keep()) {
      await this.refresh();
      this.previewed = this.told?.basis;
      openPreview(this.session);
    } else say(t("report.js.show_first"), "bad");
  }

  /** What the report rested on when it was looked at; one's own edits are known since then. */
  get #seen() {
    const before = Object.entries(this.previewed ?? {}).filter(([part]) => NOT_MINE.has(part));
    return { ...this.told.basis, ...Object.fromEntries(before) };
  }

  async #openSigning() {
    const isKept = await this.#keep();
    await this.refresh();
    if (!isKept) {
      say(t("report.js.keep_first"), "bad");
      return;
    }
    if (!this.told?.may_sign) return;
    const signed = await openSigning(this.session, { ...this.told, seen: this.#seen });
    if (!signed) return;
    this.#show(signed);
    await this.session.reload();
  }
}

function sentence({ kind, text }) {
  return el("p", { class: `report-${kind}` }, text);
}
