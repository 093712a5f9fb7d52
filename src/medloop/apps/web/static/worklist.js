// The worklist: keeps itself up to date, searches, and can be used without a mouse.

import { say, send } from "./http.js";
import { offerUploads } from "./uploads.js";

const EVERY_MS = 2500;
const list = document.getElementById("list");
const filters = document.getElementById("filters");
const keys = document.getElementById("keys");
const state = { tab: list.dataset.tab, page: Number(list.dataset.page), tag: list.dataset.tag };
let asking = null;
let timer = 0;
let failures = 0;

filters.elements.words.value = history.state?.words ?? "";

function asked() {
  const { words, modality, since, until } = filters.elements;
  return {
    tab: state.tab,
    page: state.page,
    words: words.value.trim(),
    modality: modality.value,
    since: since.value,
    until: until.value,
  };
}

/** Ask what has changed; `fresh` at once, whatever is on the way, because somebody chose. */
async function refresh({ fresh = false } = {}) {
  clearTimeout(timer);
  if (fresh) asking?.abort();
  else if (asking) return;
  const mine = (asking = new AbortController());
  try {
    const body = { ...asked(), tag: state.tag };
    const told = await send("POST", "/worklist", body, { quiet: true, signal: mine.signal });
    if (mine !== asking) return;
    if (failures > 1) say("");
    failures = 0;
    if (told.html !== null) show(told);
    state.tag = told.tag;
    for (const bar of list.querySelectorAll("progress[data-job]")) {
      const far = told.progress[bar.dataset.job];
      if (far !== undefined) bar.value = far;
    }
  } catch (error) {
    if (error.name === "AbortError" || mine !== asking) return;
    failures += 1;
    if (failures > 1 || fresh || error.status === 401) say(error.message, "bad");
  } finally {
    if (mine === asking) {
      asking = null;
      const wait = EVERY_MS * Math.min(2 ** failures, 12);
      timer = setTimeout(() => !document.hidden && refresh(), wait);
    }
  }
}

/** Put the new list in place of the old, with the focus where it was. */
function show(told) {
  const focused = document.activeElement;
  const study = focused?.closest?.("#list tr")?.dataset.study;
  const which = focused?.matches?.("a.open") ? "a.open" : `a[href="${focused?.getAttribute?.("href")}"]`;
  const tab = focused?.closest?.("#list .tabs") ? focused.dataset.tab : null;
  list.innerHTML = told.html;
  if (study) list.querySelector(`tr[data-study="${study}"] ${which}`)?.focus();
  else if (tab) list.querySelector(`.tabs [data-tab="${tab}"]`)?.focus();
}

function choose(change) {
  Object.assign(state, { page: 1 }, change);
  const { words, ...rest } = asked();
  const plain = { tab: "open", page: 1 };
  const kept = Object.entries(rest).filter(([key, value]) => value && value !== plain[key]);
  const query = new URLSearchParams(kept).toString();
  history.replaceState({ words }, "", query ? `/?${query}` : "/");
  return refresh({ fresh: true });
}

let typing = 0;
filters.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => choose({}), event.target.name === "words" ? 250 : 0);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  choose({}).then(() => list.querySelector("a.open")?.focus());
});
filters.addEventListener("reset", (event) => {
  event.preventDefault();
  for (const each of filters.elements) if (each.name) each.value = "";
  choose({});
});

list.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const chosen = event.target.closest("a[data-tab], a[data-page], button[data-clear]");
  if (chosen) {
    event.preventDefault();
    if ("clear" in chosen.dataset) filters.reset();
    else if (chosen.dataset.tab) choose({ tab: chosen.dataset.tab });
    else choose({ page: Number(chosen.dataset.page) }).then(() => window.scrollTo(0, 0));
    return;
  }
  const row = event.target.closest("tr[data-study]");
  if (row && !event.target.closest("a, button") && !String(getSelection())) {
    row.querySelector("a.open").click();
  }
});

function move(step) {
  const links = [...list.querySelectorAll("a.open")];
  const row = document.activeElement?.closest?.("#list tr");
  const at = links.findIndex((link) => row?.contains(link));
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

const deeds = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  "/": () => filters.elements.words.select(),
  "?": () => keys.showModal(),
  "[": () => list.querySelector("[rel=prev]")?.click(),
  "]": () => list.querySelector("[rel=next]")?.click(),
  r: () => document.activeElement?.closest?.("#list tr")?.querySelector("a.chip")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") {
      event.target.blur();
      list.querySelector("a.open")?.focus();
    }
    return;
  }
  const tabs = list.querySelectorAll(".tabs a");
  const act = deeds[event.key] ?? (/^[1-7]$/.test(event.key) && (() => tabs[event.key - 1]?.click()));
  if (!act) return;
  event.preventDefault();
  act();
});

document.getElementById("show-keys").addEventListener("click", () => keys.showModal());
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
offerUploads(() => refresh({ fresh: true }));
if (filters.elements.words.value) choose({ page: state.page });
else refresh();
