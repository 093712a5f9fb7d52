// Signing: what it means, in which language, and the password once more; who has none signs in
// anew at the provider of their account, and comes back with the report signed.

import { el, field, select } from "../correct/dom.js";
import { say, send } from "../http.js";
import { lang, t } from "../texts.js";

/** Ask for a signature. Resolves with the server's answer once signed, null if nobody did. */
export function openSigning(session, told) {
  return new Promise((resolve) => new Dialog(session, told, resolve));
}

class Dialog {
  #answer = null;

  constructor(session, told, resolve) {
    this.session = session;
    this.told = told;
    const last = told.meanings.at(-1);
    this.meanings = el(
      "fieldset",
      { class: "report-meanings" },
      el("legend", {}, t("report.js.meaning")),
      told.meanings.map((each) => this.#meaning(each, each === last)),
    );
    this.language = select(LANGUAGES, lang, { name: "language" });
    this.text = el("textarea", { name: "text", rows: 4, maxlength: 20000 });
    this.addendum = field(t("report.js.addendum_text"), this.text);
    this.password = el("input", { type: "password", name: "password", autocomplete: "current-password", required: true, "aria-describedby": "report-sign-error" });
    this.isAway = told.signs_by === "provider";
    this.password.required = !this.isAway;
    this.error = el("p", { class: "notice alert", id: "report-sign-error", role: "alert", hidden: true });
    this.submit = el("button", { class: "button primary", type: "submit" }, this.#deed);
    const cancel = el("button", { class: "button", type: "button", onclick: () => this.dialog.close() }, t("report.js.cancel"));
    const unjudged = told.unjudged
      ? el("p", { class: "notice warn" }, t("report.js.unjudged", { count: told.unjudged }))
      : null;
    const stale = told.conclusion.is_stale ? el("p", { class: "notice warn" }, t("report.js.stale")) : null;
    const against = (told.contradictions ?? []).map((each) => el("p", { class: "notice warn" }, each));
    const form = el(
      "form",
      { class: "stack", method: "dialog", onsubmit: (event) => this.#sign(event) },
      el("h2", { id: "report-sign-title" }, t("report.js.sign_title")),
      unjudged,
      stale,
      ...against,
      this.meanings,
      field(t("report.js.language"), this.language),
      this.addendum,
      el("p", {}, t(this.isAway ? "report.js.as_provider" : "report.js.as", { name: told.signer })),
      this.isAway ? null : field(t("report.js.password"), this.password),
      this.error,
      el("div", { class: "row" }, this.submit, cancel),
    );
    this.form = form;
    this.dialog = el("dialog", { class: "report-sign-dialog", "aria-labelledby": "report-sign-title" }, form);
    this.dialog.addEventListener("close", () => {
      this.password.value = "";
      this.dialog.remove();
      resolve(this.#answer);
    });
    this.#face();
    document.body.append(this.dialog);
    this.dialog.showModal();
    const first = this.isAway ? this.submit : this.password;
    (this.addendum.hidden ? first : this.text).focus();
  }

  get #deed() {
    return t(this.isAway ? "report.js.go_sign" : "report.js.do_sign");
  }

  get #chosen() {
    return this.meanings.querySelector("input:checked").value;
  }

  #meaning(name, isChosen) {
    const radio = el("input", { type: "radio", name: "meaning", value: name, checked: isChosen, onchange: () => this.#face() });
    const about = el("span", { class: "muted" }, t(`report.js.about.${name}`));
    return el("label", { class: "report-meaning" }, radio, el("span", {}, el("strong", {}, t(`report.js.${name}`)), " ", about));
  }

  #face() {
    const isAddendum = this.#chosen === "addendum";
    this.addendum.hidden = !isAddendum;
    this.text.required = isAddendum;
  }

  async #sign(event) {
    event.preventDefault();
    this.#busy(true);
    const sent = {
      meaning: this.#chosen,
      language: this.language.value,
      text: this.text.value,
      expected: this.told.number,
      seen: this.told.seen ?? this.told.basis,
    };
    try {
      await (this.isAway ? this.#leave(sent) : this.#signHere({ ...sent, password: this.password.value }));
      this.dialog.close();
    } catch (error) {
      this.#busy(false);
      this.error.textContent = error.status === 409 ? error.told || error.message : error.message;
      this.error.hidden = false;
      this.password.value = "";
      this.password.setAttribute("aria-invalid", "true");
      (this.isAway ? this.submit : this.password).focus();
    }
  }

  async #signHere(sent) {
    this.#answer = await send("POST", `${this.session.url}/sign?lang=${lang}`, sent, { quiet: true });
    say(t("report.js.signed", { number: this.#answer.versions.at(-1)?.number }), "ok");
  }

  /** The server keeps what is signed until the person comes back from the provider. */
  async #leave(sent) {
    const { address } = await send("POST", `${this.session.url}/sign/provider?lang=${lang}`, sent, { quiet: true });
    location.assign(address);
  }

  #busy(isBusy) {
    this.submit.disabled = isBusy;
    this.submit.textContent = isBusy ? t("report.js.signing") : this.#deed;
    this.form.setAttribute("aria-busy", String(isBusy));
  }
}

const LANGUAGES = [
  { value: "en", label: "English" },
  { value: "zh", label: "中文" },
];
