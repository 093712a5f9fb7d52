// Correcting a reading: findings, grades and the mask, by pointer and keyboard.

import { getJson, say } from "../http.js";
import { lang, t } from "../texts.js";
import { keep } from "../unsaved.js";
import { el, isWriting } from "./dom.js";
import { fetchMask, packMask } from "./files.js";
import { showFindings } from "./findings.js";
import { Masking, saveMask } from "./masking.js";
import { CONFLICT, SAVED, Saving } from "./saving.js";
import { Session } from "./session.js";
import { showToolbar } from "./toolbar.js";
import { BRUSH, ERASER, MARKS, NONE, Tools } from "./tools.js";

/**
 * Show what corrects a reading in an element. Returns {session, masking, tools, saving}: the
 * session is told of every new state of the reading ("changed").
 */
export async function mountCorrect(host, reading, view) {
  const session = new Session(reading);
  session.effort.watch(document);
  keep(() => session.isSending);
  const choices = await getJson(`${session.url}/choices?lang=${lang}`);
  if (!view.mask) view.setMask(await fetchMask(reading.mask.url), reading.segments);
  const left = el("section", { class: "correct-part", "aria-label": t("correct.js.findings") });
  const right = el("section", { class: "correct-part", "aria-label": t("correct.js.mask") });
  host.classList.add("correct");
  host.replaceChildren(left, right);
  let drawing = null;
  const list = showFindings(left, session, view, choices, {
    went: ({ segment }) => drawing?.masking.has(segment) && drawing.masking.choose(segment),
  });
  if (!session.isOpen) say(t(reading.is_barred ? "correct.js.barred" : "correct.js.closed"));
  drawing = showMask(right, session, view, choices);
  document.addEventListener("keydown", (event) => onKey(event, list, drawing));
  const keys = ["keys_findings", "keys_mask", "keys_undo"].map((each) => el("li", {}, t(`correct.js.${each}`)));
  document.querySelector(".read-keys .menu-body")?.append(...keys);
  return { session, list, ...drawing };
}

function showMask(host, session, view, choices) {
  const masking = new Masking(session, view);
  const tools = new Tools(masking, view);
  let shown = { state: () => {} };
  const saving = new Saving(
    () => save(session, masking),
    (state, error) => shown.state(state, error),
  );
  const takeTheirs = async () => {
    await session.reload();
    const theirs = await fetchMask(session.reading.mask.url);
    view.mask.data.set(theirs.data);
    view.mask.changed([[0, 0, 0], [...view.mask.size]]);
    masking.history.clear();
    masking.setSegments(session.reading.segments);
  };
  shown = showToolbar(host, { session, masking, tools, saving, view, choices, takeTheirs });
  session.flush = async () => {
    await saving.flush();
    await session.after(() => {});
    return saving.isSaved;
  };
  masking.addEventListener("edited", () => saving.changed());
  masking.addEventListener("segments", () => view.setSegments(masking.segments));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") saving.flush();
  });
  keep(() => !saving.isSaved, () => saving.flush());
  return { masking, tools, saving };
}

/** Send the mask as it is now; what follows waits its turn behind the edits of findings. */
async function save(session, masking) {
  const body = await packMask(masking.mask);
  const { segments } = masking;
  return session.after(async () => {
    const known = session.reading.mask.sha256;
    try {
      session.replace(await saveMask(session, body, segments));
      return SAVED;
    } catch (error) {
      if (error.status !== 409) throw error;
    }
    await session.reload();
    if (!session.isOpen) throw new Error(t("correct.js.closed"));
    if (session.reading.mask.sha256 !== known) return CONFLICT;
    say(t("correct.js.stale"));
    session.replace(await saveMask(session, body, segments));
    return SAVED;
  });
}

function onKey(event, list, drawing) {
  if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    const isRedo = key === "y" || (key === "z" && event.shiftKey);
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (isRedo) drawing.masking.redo();
    else drawing.masking.undo();
    return;
  }
  if (event.altKey) return;
  const act = { ...findingKeys(list), ...maskKeys(drawing, list) }[key];
  if (!act) return;
  event.preventDefault();
  act();
}

function findingKeys(list) {
  return {
    a: list.accept,
    r: list.reject,
    e: list.edit,
    n: list.add,
    u: list.undo,
    j: () => list.move(1),
    k: () => list.move(-1),
  };
}

function maskKeys({ tools }, list) {
  return {
    b: () => tools.take(BRUSH),
    x: () => tools.take(ERASER),
    c: () => tools.take(MARKS),
    "[": () => tools.step(-1),
    "]": () => tools.step(1),
    escape: () => {
      list.cancel();
      if (tools.tool !== NONE) tools.take(tools.tool);
    },
  };
}
