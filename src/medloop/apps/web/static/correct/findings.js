// Findings and grades, each to accept, reject, edit or take back.

import { say } from "../http.js";
import { t } from "../texts.js";
import { button, el, field, select } from "./dom.js";
import { findingForm } from "./form.js";

/**
 * Show the list in an element. `choices` are what may be said (concepts, sites, measurements,
 * scales); `went` is told of a finding that was gone to. Returns commands for keys: {accept, reject, edit, add, undo, move}.
 */
export function showFindings(host, session, view, choices, { went = () => {} } = {}) {
  let current = session.reading.findings[0]?.key ?? null;
  let form = null;
  let stopPicking = () => {};
  const list = el("ol", { class: "correct-findings", "aria-label": t("correct.js.findings") });
  const grades = el("div", { class: "correct-grades" });
  const place = el("div", {});
  const add = button(t("correct.js.add"), t("correct.js.add_title"), () => point(), { class: "correct-add" });
  const undo = button(t("correct.js.undo"), t("correct.js.undo_title"), () => session.undo());
  host.append(
    el("div", { class: "row spread" }, el("h2", {}, t("correct.js.findings")), el("div", { class: "row" }, add, undo)),
    list,
    place,
    grades,
  );

  const draw = () => {
    const keys = session.reading.findings.map((each) => each.key);
    if (!keys.includes(current)) current = keys[0] ?? null;
    const hadFocus = list.contains(document.activeElement);
    list.replaceChildren(...session.reading.findings.map((each) => row(each)));
    if (!keys.length) list.append(el("li", { class: "muted" }, t("correct.js.none")));
    if (hadFocus) list.querySelector("[aria-current=true] .correct-name")?.focus();
    drawGrades(grades, session, choices);
    undo.disabled = !session.canUndo || !session.isOpen;
    add.disabled = !session.isOpen;
  };

  const row = (finding) => {
    const isCurrent = finding.key === current;
    const name = el(
      "button",
      { type: "button", class: "correct-name", onclick: () => go(finding.key) },
      el("span", { class: "correct-label" }, el("b", {}, finding.key), " ", finding.label ?? nameOf(finding, choices)),
      el("span", { class: "muted" }, summary(finding)),
    );
    const state = el("span", { class: `badge ${TONES[finding.state]}` }, t(`correct.js.${finding.state}`));
    return el(
      "li",
      { class: `correct-finding ${finding.state}`, "data-key": finding.key, "aria-current": isCurrent ? "true" : null },
      name,
      el("div", { class: "row correct-actions" }, state, ...actions(finding)),
    );
  };

  const actions = ({ key, state }) => {
    if (!session.isOpen) return [];
    const isAdded = state === "added";
    return [
      isAdded ? null : button("✓", t("correct.js.accept"), () => act("accept", key), { "aria-pressed": String(state === "accepted") }),
      isAdded ? null : button("✕", t("correct.js.reject"), () => act("reject", key), { "aria-pressed": String(state === "rejected") }),
      button("✎", t("correct.js.edit"), () => edit(key)),
      isAdded ? button("⌫", t("correct.js.remove"), () => session.remove(key)) : null,
      isAdded || state === "proposed" ? null : button("↺", t("correct.js.restore"), () => session.restore(key)),
    ];
  };

  const go = (key) => {
    current = key;
    const finding = session.finding(key);
    if (finding) {
      view.goTo(finding);
      went(finding);
    }
    draw();
  };

  const act = (what, key) => {
    const state = session.finding(key)?.state;
    const isSaid = state === `${what}ed` || (what === "accept" && state === "changed");
    if (!session.isOpen || !state || state === "added" || isSaid) return;
    current = key;
    session[what](key);
  };

  const close = () => {
    form?.remove();
    form = null;
  };

  const said = () => ({ ...choices, segments: session.reading.segments });

  const edit = (key) => {
    const finding = session.finding(key);
    if (!session.isOpen || !finding) return;
    current = key;
    close();
    form = findingForm(finding, said(), {
      done: (fields) => {
        close();
        session.change(key, fields);
      },
      cancel: close,
    });
    place.append(form);
    form.querySelector("select, input")?.focus();
  };

  const point = () => {
    if (!session.isOpen) return;
    stopPicking();
    say(t("correct.js.point"));
    const stop = view.onPick((picked) => {
      stopPicking();
      begin(picked);
    });
    add.setAttribute("aria-pressed", "true");
    stopPicking = () => {
      stop?.();
      add.setAttribute("aria-pressed", "false");
      stopPicking = () => {};
    };
  };

  const begin = (picked) => {
    close();
    const where = placeOf(picked);
    const empty = { concept: choices.concepts[0]?.code, site: null, measurements: [] };
    form = findingForm(empty, said(), {
      done: (fields) => {
        close();
        session.add({ probability: null, ...fields, ...where }).then((key) => key && go(key));
      },
      cancel: close,
    });
    place.append(form);
    form.querySelector("select, input")?.focus();
  };

  const move = (by) => {
    const keys = session.reading.findings.map((each) => each.key);
    const at = keys.indexOf(current) + by;
    if (keys.length) go(keys[Math.min(Math.max(at, 0), keys.length - 1)]);
  };

  session.addEventListener("changed", draw);
  draw();
  return {
    accept: () => act("accept", current),
    reject: () => act("reject", current),
    edit: () => edit(current),
    add: point,
    cancel: () => stopPicking(),
    undo: () => session.isOpen && session.undo(),
    select: (key) => {
      current = key;
      if (session.finding(key)) went(session.finding(key));
      draw();
    },
    move,
  };
}

const TONES = { proposed: "quiet", accepted: "ok", rejected: "alert", changed: "warn", added: "busy" };

function drawGrades(host, session, choices) {
  const held = session.reading.assessments ?? {};
  const scales = choices.scales.filter(({ name }) => name in held);
  host.replaceChildren(
    ...scales.map(({ name, label, values }) => {
      const known = values.map(({ value }) => String(value));
      const now = String(held[name]);
      const all = known.includes(now) ? values : [{ value: held[name], label: now }, ...values];
      const control = select(
        all.map(({ value, label: said }) => ({ value: String(value), label: said })),
        now,
        {
          "data-scale": name,
          disabled: !session.isOpen,
          onchange: (event) => {
            const chosen = all.find(({ value }) => String(value) === event.target.value);
            session.assess(name, chosen.value);
          },
        },
      );
      return field(label, control);
    }),
  );
}

function nameOf(finding, choices) {
  const known = (list, code) =>
    list.find((each) => code && each.code.scheme === code.scheme && each.code.value === code.value)?.label ??
    code?.meaning;
  const concept = known(choices.concepts, finding.concept) ?? "";
  const site = known(choices.sites, finding.site);
  return site ? `${concept}, ${site}` : concept;
}

const AXES = new Set(["103339001", "103340004"]); // SNOMED CT: long and short axis

function summary(finding) {
  const all = finding.measurements ?? [];
  const axes = all.filter(({ concept }) => AXES.has(concept?.value));
  const sizes = (axes.length ? axes : all.filter(({ unit }) => unit === "mm").slice(0, 1)).map(({ value }) =>
    Number(value).toFixed(1),
  );
  const sure = finding.probability;
  const parts = [
    sizes.length ? `${sizes.join(" × ")} mm` : "",
    typeof sure === "number" ? `${Math.round(100 * sure)} %` : "",
    finding.comment ?? "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Where something was pointed at, as findings say it: DICOM's millimetres, or pixels. */
function placeOf({ index, mm }) {
  return mm ? { center_lps_mm: mm } : { center_px: [index[0], index[1]] };
}
