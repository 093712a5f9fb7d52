// Files and folders that are dropped or chosen, sent in batches, with what became of them.

import { csrfHeader } from "./http.js";
import { t } from "./texts.js";
import { keep } from "./unsaved.js";

const BATCH_FILES = 100;
const BATCH_BYTES = 64 * 1024 * 1024;
const SHOWN = 10;
let sending = 0; // how many uploads are on their way
const part = (name) => document.getElementById(name);

/** Take files that are dropped on the page or chosen; `arrived` is called after each batch. */
export function offerUploads(arrived) {
  const overlay = part("drop");
  if (!overlay) return; // whoever reads may not send
  keep(() => sending > 0);
  for (const input of [part("add-files"), part("add-folder")]) {
    input.addEventListener("change", async () => {
      const files = [...input.files];
      input.value = "";
      await upload(files, arrived);
    });
  }
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    overlay.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) overlay.hidden = true;
  });
  document.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    overlay.hidden = true;
    // Entries must be taken before the first await: the browser forgets them.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    const loose = [...event.dataTransfer.files];
    line(t("worklist.js.reading"));
    const isFolder = entries.some((entry) => entry?.isDirectory);
    const found = isFolder ? await filesOf(entries).catch(() => null) : loose;
    if (found) await upload(found, arrived);
    else end(t("worklist.js.unreadable"));
  });
  part("upload-close").addEventListener("click", () => (part("uploads").hidden = true));
}

async function filesOf(entries) {
  const found = [];
  const waiting = entries.filter(Boolean);
  while (waiting.length) {
    const entry = waiting.shift();
    if (entry.isFile) found.push(await new Promise((done, no) => entry.file(done, no)));
    else waiting.push(...(await children(entry.createReader())));
  }
  return found.filter((file) => !file.name.startsWith("."));
}

async function children(reader) {
  const found = [];
  for (;;) {
    const some = await new Promise((done, no) => reader.readEntries(done, no));
    if (!some.length) return found; // Chromium gives a hundred at a time
    found.push(...some);
  }
}

function batches(files) {
  const made = [[]];
  let bytes = 0;
  for (const file of files) {
    const last = made.at(-1);
    if (last.length && (last.length >= BATCH_FILES || bytes + file.size > BATCH_BYTES)) {
      made.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return made;
}

async function upload(files, arrived) {
  sending += 1;
  await sendAll(files, arrived).finally(() => (sending -= 1));
}

async function sendAll(files, arrived) {
  const problems = part("upload-problems");
  problems.textContent = "";
  part("upload-studies").textContent = "";
  part("upload-close").hidden = true;
  if (!files.length) return end(t("worklist.js.nothing"));
  const whole = files.reduce((sum, file) => sum + file.size, 0) || 1;
  const all = { studies: new Map(), refused: [], stored: 0 };
  let [done, bytes] = [0, 0];
  for (const batch of batches(files)) {
    line(t("worklist.js.sending", { done, total: files.length }), bytes / whole);
    const told = await post(batch, (loaded, isAll) => {
      const far = Math.min((bytes + loaded) / whole, 1);
      const said = isAll ? "worklist.js.sorting" : "worklist.js.sending";
      line(t(said, { done, total: files.length }), far);
    });
    if (told.error) {
      return end(t("worklist.js.stopped", { done, total: files.length, why: told.error }));
    }
    done += batch.length;
    bytes += batch.reduce((sum, file) => sum + file.size, 0);
    for (const uid of told.studies) {
      const grown = told.standing[uid].grown || all.studies.get(uid)?.grown;
      all.studies.set(uid, { ...told.standing[uid], grown });
    }
    for (const file of told.files) {
      all.stored += file.stored;
      if (file.reason || file.outcome === "conflict") all.refused.push(file);
    }
    arrived();
  }
  tell(all.refused, problems);
  lead([...all.studies].slice(0, SHOWN));
  const known = all.studies.size && !all.stored && !all.refused.length;
  const counts = { files: done - all.refused.length, studies: all.studies.size };
  return end(known ? t("worklist.js.known") : t("worklist.js.sent", counts), 1);
}

/** Links to what came, wherever the list shows it. */
function lead(studies) {
  const links = studies.map(([uid, standing], at) => {
    const link = document.createElement("a");
    link.href = `/studies/${uid}`;
    link.textContent = t("worklist.js.study", { n: at + 1 }) + about(standing);
    return link;
  });
  part("upload-studies").replaceChildren(...links);
}

/** What is worth knowing of a study that was here before: where it stands, and what follows. */
function about({ grown, state, is_signed: isSigned }) {
  if (!grown) return t("worklist.js.here", { state: t(`worklist.state.${state}`) });
  return isSigned ? t("worklist.js.grown") : "";
}

function tell(refused, problems) {
  if (!refused.length) return;
  const lines = [t("worklist.js.problems", { count: refused.length })];
  lines.push(...refused.slice(0, SHOWN).map((file) => `${file.name}: ${file.reason || file.outcome}`));
  if (refused.length > SHOWN) lines.push(t("worklist.js.more", { count: refused.length - SHOWN }));
  for (const said of lines) {
    const item = document.createElement("li");
    item.textContent = said;
    problems.append(item);
  }
}

function line(said, far = 0) {
  part("uploads").hidden = false;
  part("upload-line").textContent = said;
  part("upload-bar").hidden = false;
  part("upload-bar").value = far;
}

function end(said, far = 0) {
  line(said, far);
  part("upload-bar").hidden = true;
  part("upload-close").hidden = false;
  part("upload-line").setAttribute("role", "status");
}

/** Send one batch; XMLHttpRequest because fetch does not say how much has gone. */
function post(files, moved) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.webkitRelativePath || file.name);
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads");
    request.setRequestHeader("Accept", "application/json");
    for (const [key, value] of Object.entries(csrfHeader())) request.setRequestHeader(key, value);
    request.upload.addEventListener("progress", (event) => moved(event.loaded, false));
    request.upload.addEventListener("load", () => moved(Infinity, true));
    request.addEventListener("error", () => resolve({ error: t("shell.js.offline") }));
    request.addEventListener("load", () => {
      let told = {};
      try {
        told = JSON.parse(request.responseText);
      } catch {
        told = { error: t("shell.js.failed", { status: request.status }) };
      }
      if (request.status >= 400 && !told.error) {
        told.error = t("shell.js.failed", { status: request.status });
      }
      resolve(told);
    });
    request.send(form);
  });
}
