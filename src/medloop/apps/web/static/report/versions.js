// What was signed, the newest first: who, when, what it means, its documents, where they went.

import { button, el } from "../correct/dom.js";
import { send } from "../http.js";
import { lang, t } from "../texts.js";

const NAMES = { "report.pdf": "PDF", "report.html": "HTML", "sr.dcm": "SR", "seg.dcm": "SEG", "rtstruct.dcm": "RTSTRUCT", "signed.json": "JSON" };
const OPEN = new Set(["waiting", "sending"]);

/** Whether documents of a version are still made or sent. */
export function isUnderWay({ state, deliveries }) {
  if (state === "waiting" || state === "issuing") return true;
  return deliveries.some((each) => OPEN.has(each.state));
}

export function showVersions(host, session, refresh) {
  const list = el("ol", { class: "report-list" });
  const none = el("p", { class: "muted" }, t("report.js.none"));
  host.replaceChildren(el("h3", {}, t("report.js.versions")), none, list);
  let shown = "";
  return {
    show(versions) {
      none.hidden = versions.length > 0;
      const now = JSON.stringify(versions);
      if (now === shown) return;
      shown = now;
      list.replaceChildren(...versions.toReversed().map((each) => entry(each, session, refresh)));
    },
  };
}

function entry(version, session, refresh) {
  const at = new Date(version.at).toLocaleString(lang === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
  const [kind, words] = standing(version);
  const files = version.files.map(({ name, url }) =>
    el("a", { href: url, target: "_blank", rel: "noopener", "aria-label": `${NAMES[name]}, ${t("report.js.version", { number: version.number })}` }, NAMES[name]),
  );
  const again =
    version.state === "failed"
      ? button(t("report.js.again"), t("report.js.again"), () => retry(session, version, refresh))
      : null;
  return el(
    "li",
    { class: "report-entry", "data-version": version.number, "data-state": version.state },
    el(
      "div",
      { class: "row" },
      el("strong", {}, t("report.js.version", { number: version.number })),
      el("span", { class: "badge ok" }, t(`report.js.${version.meaning}`)),
      el("span", { class: `badge ${kind}`, title: version.reason }, words),
    ),
    el("div", { class: "muted" }, t("report.js.by", { signer: version.signer, at })),
    version.reason && version.state === "failed" ? el("p", { class: "report-reason" }, version.reason) : null,
    el("div", { class: "row report-files" }, files, again),
  );
}

function standing({ state, deliveries }) {
  if (state === "failed") return ["alert", t("report.js.state.failed")];
  if (state !== "done") return ["busy", t(`report.js.state.${state}`)];
  const failed = deliveries.filter((each) => each.state === "failed");
  const names = (some) => some.map((each) => each.destination).join(", ");
  if (failed.length) return ["alert", t("report.js.state.unsent", { names: names(failed) })];
  if (deliveries.some((each) => OPEN.has(each.state))) return ["busy", t("report.js.state.sending")];
  if (deliveries.length) return ["ok", t("report.js.state.sent", { names: names(deliveries) })];
  return ["", t("report.js.state.kept")];
}

async function retry(session, version, refresh) {
  await send("POST", `${session.url}/versions/${version.number}/again?lang=${lang}`, {});
  await refresh();
}
