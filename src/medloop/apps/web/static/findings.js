// The list of findings that leads to their places, for those who look and do not correct.

import { button, el } from "./correct/dom.js";
import { t } from "./texts.js";

/** Show findings ({key, label, ...place}) in an element; choosing one goes there. */
export function showFindings(host, findings, view) {
  let current = null;
  const list = el("ol", { class: "read-findings", "aria-label": t("read.js.findings") });
  const draw = () => {
    list.replaceChildren(
      ...findings.map((finding) =>
        el(
          "li",
          { "data-key": finding.key, "aria-current": finding.key === current ? "true" : null },
          button([el("b", {}, finding.key), " ", finding.label], finding.label, () => go(finding), { class: "quiet" }),
        ),
      ),
    );
    if (!findings.length) list.append(el("li", { class: "muted" }, t("read.js.no_findings")));
  };
  const go = (finding) => {
    current = finding.key;
    view.goTo(finding);
    draw();
    list.querySelector("[aria-current] button")?.focus();
  };
  const move = (by) => {
    const at = findings.findIndex((each) => each.key === current) + by;
    if (findings.length) go(findings[Math.max(0, Math.min(findings.length - 1, at))]);
  };
  host.append(el("h2", {}, t("read.js.findings")), list);
  draw();
  return { move };
}
