// A form for one finding: what it is, where, how large, and a remark.

import { t } from "../texts.js";
import { button, el, field, select } from "./dom.js";

const same = (one, other) => Boolean(one && other) && one.scheme === other.scheme && one.value === other.value;

/** Make the form; `done(fields)` is called with what was entered, `cancel()` if nothing should be. */
export function findingForm(finding, choices, { done, cancel }) {
  const concepts = withOwn(choices.concepts, finding.concept);
  const sites = [{ code: null, label: t("correct.js.no_site") }, ...withOwn(choices.sites, finding.site)];
  const concept = select(numbered(concepts), place(concepts, finding.concept), { name: "concept" });
  const site = select(numbered(sites), place(sites, finding.site), { name: "site" });
  const measures = el("div", { class: "correct-measures" });
  const rows = (finding.measurements ?? []).map((each) => measure(each));
  measures.append(...rows.map((each) => each.element));
  const missing = choices.measurements.filter(
    ({ code }) => !rows.some((each) => same(each.code, code) || each.name === code.meaning),
  );
  for (const { code, unit, label } of missing) {
    const added = measure({ name: code.meaning, concept: code, value: null, unit }, label);
    rows.push(added);
    measures.append(added.element);
  }
  const segments = [{ number: null, name: t("correct.js.no_segment") }, ...(choices.segments ?? [])];
  const segment = select(
    segments.map(({ number, name, label }) => ({ value: String(number), label: label ?? name })),
    String(finding.segment ?? null),
    { name: "segment" },
  );
  const comment = el("textarea", { name: "comment", rows: 2, maxlength: 400, value: finding.comment ?? "" });
  const save = (event) => {
    event.preventDefault();
    const written = comment.value.trim();
    done({
      concept: concepts[Number(concept.value)].code,
      site: sites[Number(site.value)].code,
      measurements: rows.flatMap((each) => each.read()),
      ...(written || finding.comment ? { comment: written } : {}),
      ...(segment.value === String(finding.segment ?? null) ? {} : { segment: JSON.parse(segment.value) }),
    });
  };
  return el(
    "form",
    {
      class: "correct-form panel",
      onsubmit: save,
      onkeydown: (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        cancel();
      },
    },
    el("div", { class: "correct-pair" }, field(t("correct.js.concept"), concept), field(t("correct.js.site"), site)),
    measures,
    segments.length > 1 ? field(t("correct.js.its_segment"), segment) : null,
    field(t("correct.js.comment"), comment),
    el(
      "div",
      { class: "row" },
      el("button", { type: "submit", class: "button small primary" }, t("correct.js.save")),
      button(t("correct.js.cancel"), t("correct.js.cancel"), cancel),
    ),
  );
}

/** One number with its unit; empty means that it was not measured. */
function measure({ name, concept, value, unit }, label = name) {
  const input = el("input", {
    type: "number",
    step: "any",
    min: 0,
    value: value === null || value === undefined ? "" : String(value),
    name: `measure-${concept?.value ?? name}`,
  });
  const element = field(`${label} (${unit === "1" ? "–" : unit})`, input);
  const read = () => {
    if (input.value.trim() === "") return [];
    const kept = String(value) === input.value ? value : Number(input.value);
    return [{ name, concept, value: kept, unit }];
  };
  return { element, code: concept, name, read };
}

/** The list, with the code that stands there if it has not got it. */
function withOwn(list, code) {
  if (!code || list.some((each) => same(each.code, code))) return list;
  return [{ code, label: code.meaning }, ...list];
}

function numbered(list) {
  return list.map(({ label }, n) => ({ value: String(n), label }));
}

function place(list, code) {
  const at = list.findIndex((each) => (code ? same(each.code, code) : each.code === null));
  return String(Math.max(at, 0));
}
