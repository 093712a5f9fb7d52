// The report as it would be signed now, in a frame; it says itself that nobody has signed.

import { button, el } from "../correct/dom.js";
import { lang, t } from "../texts.js";

/** Show the report in a dialog; what was drawn and written is kept by then. */
export function openPreview(session) {
  const address = `${session.url}/preview?lang=${lang}`;
  const frame = el("iframe", { src: address, title: t("report.js.preview"), class: "report-frame" });
  const alone = el("a", { href: address, target: "_blank", rel: "noopener", class: "button small" }, t("report.js.alone"));
  const close = button(t("report.js.close"), t("report.js.close"), () => dialog.close());
  const head = el("div", { class: "row spread" }, el("h2", { id: "report-preview-title" }, t("report.js.preview")), el("div", { class: "row" }, alone, close));
  const dialog = el("dialog", { class: "report-sheet", "aria-labelledby": "report-preview-title" }, head, frame);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
