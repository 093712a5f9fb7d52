// The controls of the mask: segments, tools, what to do with the whole, files, whether it is saved.

import { say, send } from "../http.js";
import { t } from "../texts.js";
import { button, el, field, select } from "./dom.js";
import { CONFLICT, FAILED, SAVED } from "./saving.js";
import { BRUSH, ERASER, MARKS } from "./tools.js";

const COLORS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2"];

/** Show the controls; returns {state(name, error)} to tell whether the mask is saved. */
export function showToolbar(host, { session, masking, tools, saving, view, choices, takeTheirs }) {
  const isFlat = view.size[2] === 1;
  const segments = el("ul", { class: "correct-segments", "aria-label": t("correct.js.segments") });
  const form = el("div", {});
  const unit = view.spacing[0] === 1 && isFlat ? t("correct.js.pixels") : "mm";

  const toolButton = (tool, key) =>
    button(t(`correct.js.${tool}`), `${t(`correct.js.${tool}`)} (${key})`, () => tools.take(tool), { "data-tool": tool });
  const hand = [toolButton(BRUSH, "b"), toolButton(ERASER, "x"), toolButton(MARKS, "c")];

  const radius = slider(0.1, isFlat ? 100 : 40, (value) => tools.set({ radius: value }));
  const reach = slider(2, isFlat ? 300 : 40, (value) => tools.set({ reach: value }));
  const shape = select(
    [{ value: "disc", label: t("correct.js.disc") }, { value: "ball", label: t("correct.js.ball") }],
    "disc",
    { onchange: (event) => tools.set({ isBall: event.target.value === "ball" }) },
  );
  const sign = select(
    [{ value: "in", label: t("correct.js.inside") }, { value: "out", label: t("correct.js.outside") }],
    "in",
    { onchange: (event) => tools.set({ marksOutside: event.target.value === "out" }) },
  );
  const ranged = rangeControls(tools, view);
  const cover = el("input", {
    type: "checkbox",
    checked: true,
    onchange: (event) => {
      masking.mayCover = event.target.checked;
    },
  });
  const settings = {
    brush: el(
      "div",
      { class: "correct-settings" },
      field(`${t("correct.js.radius")} (${unit})`, radius.element),
      isFlat ? null : field(t("correct.js.shape"), shape),
      view.image ? ranged.element : null,
      el("label", { class: "field inline" }, cover, t("correct.js.cover")),
    ),
    marks: el(
      "div",
      { class: "correct-settings" },
      field(t("correct.js.mark_is"), sign),
      field(`${t("correct.js.reach")} (${unit})`, reach.element),
      el("p", { class: "muted correct-hint" }, t("correct.js.marks_hint")),
      button(t("correct.js.new_object"), t("correct.js.new_object_title"), () => masking.forgetMarks()),
    ),
  };

  const undo = button(t("correct.js.undo"), `${t("correct.js.undo_mask")} (Ctrl Z)`, () => masking.undo());
  const redo = button(t("correct.js.redo"), `${t("correct.js.redo_mask")} (Ctrl Y)`, () => masking.redo());
  const axis = () => (isFlat ? 2 : view.slice().axis);
  const least = el("input", { type: "number", min: 1, step: 1, value: "10", "aria-label": t("correct.js.least") });
  const islands = button(t("correct.js.small"), t("correct.js.small_title"), () =>
    masking.removeSmall(Number(least.value) || 1),
  );
  const whole = [
    isFlat ? null : button(t("correct.js.between"), t("correct.js.between_title"), () => masking.fillBetween(axis())),
    button(t("correct.js.fill"), t("correct.js.fill_title"), () => masking.fillHoles(axis())),
    isFlat ? null : button(t("correct.js.fill_space"), t("correct.js.fill_space_title"), () => masking.fillHoles(null)),
    button(t("correct.js.largest"), t("correct.js.largest_title"), () => masking.keepLargest()),
    el("span", { class: "row correct-small" }, islands, least),
  ];
  const files = filesRow(session, saving, takeTheirs, isFlat);
  const state = el("p", { class: "correct-state", role: "status", "data-state": SAVED }, t("correct.js.state_saved"));
  const parts = [
    el(
      "div",
      { class: "row spread" },
      el("h2", {}, t("correct.js.mask")),
      state,
      el("div", { class: "row" }, undo, redo),
    ),
    segments,
    form,
    el("div", { class: "row correct-tools", role: "group", "aria-label": t("correct.js.tools") }, ...hand),
    settings.brush,
    settings.marks,
    el("div", { class: "row correct-whole" }, ...whole),
    files.element,
  ];
  host.append(...parts);

  const draw = () => {
    const add = button(t("correct.js.add_segment"), t("correct.js.add_segment_title"), openForm, {
      disabled: !session.isOpen,
    });
    segments.replaceChildren(...masking.segments.map((each) => segmentRow(each, masking)), el("li", {}, add));
    files.upload.disabled = !session.isOpen;
    for (const each of hand) each.setAttribute("aria-pressed", String(each.dataset.tool === tools.tool));
    settings.brush.hidden = tools.tool !== BRUSH && tools.tool !== ERASER;
    settings.marks.hidden = tools.tool !== MARKS;
    radius.show(tools.radius);
    reach.show(tools.reach);
    shape.value = tools.isBall ? "ball" : "disc";
    ranged.show(tools.range);
    undo.disabled = !masking.history.canUndo;
    redo.disabled = !masking.history.canRedo;
    for (const each of [...hand, ...whole.filter(Boolean), islands, least]) each.disabled = !session.isOpen;
  };

  const openForm = () => {
    form.replaceChildren(segmentForm(masking, choices, () => form.replaceChildren()));
    form.querySelector("select").focus();
  };

  for (const each of [masking, tools, session]) each.addEventListener("changed", draw);
  draw();
  return { state: (name, error) => showState(state, { name, error, saving, takeTheirs }) };
}

/** What a new segment is, its name and color. */
function segmentForm(masking, choices, close) {
  const number = Math.max(0, ...masking.segments.map((each) => each.number)) + 1;
  const called = (n) => `${choices.concepts[n].label} ${number}`;
  const name = el("input", { type: "text", required: true, maxlength: 60, value: called(0) });
  const concept = select(
    choices.concepts.map(({ label }, n) => ({ value: String(n), label })),
    "0",
    { onchange: () => (name.value = called(Number(concept.value))) },
  );
  const color = el("input", { type: "color", value: COLORS[(number - 1) % COLORS.length] });
  const add = (event) => {
    event.preventDefault();
    const { code } = choices.concepts[Number(concept.value)];
    masking.addSegment({ number, name: name.value.trim(), color: color.value, ...choices.segment, concept: code });
    close();
  };
  return el(
    "form",
    { class: "correct-form panel row", onsubmit: add },
    field(t("correct.js.concept"), concept),
    field(t("correct.js.segment_name"), name),
    field(t("correct.js.color"), color),
    el("button", { type: "submit", class: "button small primary" }, t("correct.js.add_it")),
    button(t("correct.js.cancel"), t("correct.js.cancel"), close),
  );
}

function segmentRow({ number, name, label, color }, masking) {
  const isCurrent = number === masking.label;
  const swatch = el("span", { class: "correct-swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = color; // set by script: no inline style in the page
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "button small", "aria-pressed": String(isCurrent), onclick: () => masking.choose(number) },
      swatch,
      label ?? name,
    ),
  );
}

function slider(min, max, act) {
  const range = el("input", { type: "range", min, max, step: 0.1, oninput: () => act(Number(range.value)) });
  const number = el("input", { type: "number", min, max, step: "any", onchange: () => act(Number(number.value) || min) });
  number.setAttribute("aria-label", t("correct.js.exact"));
  return {
    element: el("span", { class: "correct-slider" }, range, number),
    show: (value) => {
      if (document.activeElement !== range) range.value = value;
      if (document.activeElement !== number) number.value = Math.round(10 * value) / 10;
    },
  };
}

function rangeControls(tools, view) {
  const low = el("input", { type: "number", step: "any", "aria-label": t("correct.js.low") });
  const high = el("input", { type: "number", step: "any", "aria-label": t("correct.js.high") });
  const is = el("input", {
    type: "checkbox",
    onchange: () => tools.set({ range: is.checked ? [Number(low.value), Number(high.value)] : null }),
  });
  const about = button(t("correct.js.range_pick"), t("correct.js.range_pick_title"), () => {
    const stop = view.onPick(({ index }) => {
      stop?.();
      tools.rangeAbout(index);
    });
    say(t("correct.js.range_point"));
  });
  for (const each of [low, high]) {
    each.addEventListener("change", () => {
      if (is.checked) tools.set({ range: [Number(low.value), Number(high.value)] });
    });
  }
  return {
    element: el(
      "div",
      { class: "row correct-range" },
      el("label", { class: "field inline" }, is, t("correct.js.range")),
      low,
      "–",
      high,
      about,
    ),
    show: (range) => {
      is.checked = range !== null;
      if (range) [low.value, high.value] = range;
    },
  };
}

function filesRow(session, saving, takeTheirs, isFlat) {
  const upload = el("input", { type: "file", class: "visually-hidden", accept: isFlat ? ".png,.dcm" : ".nii,.gz,.dcm" });
  upload.id = "correct-upload";
  upload.addEventListener("change", async () => {
    const [file] = upload.files;
    upload.value = "";
    if (!file) return;
    await saving.flush();
    if (!saving.isSaved) {
      say(t("correct.js.save_first"), "bad"); // the file would take the place of what was painted
      return;
    }
    await session.after(async () => {
      const spent = session.effort.take();
      const query = new URLSearchParams({ expected: session.reading.number, ...spent });
      try {
        await send("PUT", `${session.url}/mask/file?${query}`, file);
        if (!saving.isSaved) return; // painted meanwhile: saving it asks which of the two stays
        await takeTheirs();
        say(t("correct.js.uploaded"), "ok");
      } catch (error) {
        session.effort.back(spent);
        if (error.status === 409) await session.reload();
      }
    });
  });
  const take = async (event) => {
    if (saving.isSaved) return;
    event.preventDefault(); // the file would lack what was painted last
    const { target } = event;
    await saving.flush();
    if (saving.isSaved) target.click();
    else say(t("correct.js.save_first"), "bad");
  };
  const link = (name, said) =>
    el("a", { class: "button small", href: `${session.url}/${name}`, download: "", onclick: take }, said);
  const element = el(
    "div",
    { class: "row correct-files" },
    isFlat ? link("mask.nii.gz", "PNG") : link("mask.nii.gz", "NIfTI"),
    link("mask.dcm", "DICOM SEG"),
    upload,
    el("label", { class: "button small", for: "correct-upload", title: t("correct.js.upload_title") }, t("correct.js.upload")),
  );
  return { element, upload };
}

function showState(place, { name, error, saving, takeTheirs }) {
  place.dataset.state = name;
  const said = t(`correct.js.state_${name}`);
  place.replaceChildren(name === FAILED && error ? `${said} ${error.message}` : said);
  if (name !== CONFLICT) return;
  place.append(
    " ",
    button(t("correct.js.keep_mine"), t("correct.js.keep_mine"), () => saving.settle(true)),
    " ",
    button(t("correct.js.take_theirs"), t("correct.js.take_theirs"), async () => {
      await takeTheirs();
      saving.settle(false);
    }),
  );
}
