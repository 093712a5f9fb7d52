// Handing a reading in, where several readers read apart or somebody decides between them.

import { say, send } from "../http.js";
import { t } from "../texts.js";

/** Offer to hand a reading in; nothing where one reader reads alone, whose signature ends it. */
export function mountHandIn(host, session) {
  const { id, job, purpose, state, is_own: isOwn, is_barred: isBarred } = session.reading;
  const wanted = Number(host.dataset.wanted);
  if (!isOwn || (wanted < 2 && purpose !== "adjudicate")) return;
  const note = document.createElement("p");
  note.className = "muted";
  host.classList.add("panel");
  host.append(note);
  if (state === "done" || isBarred) {
    note.textContent = t(isBarred ? "apart.js.barred" : "apart.js.handed_in");
    const link = document.createElement("a");
    link.href = `/adjudicate/${job}`;
    link.textContent = t("apart.js.others");
    host.append(link);
    return;
  }
  note.textContent = t(`apart.js.note.${purpose}`, { wanted });
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = t("apart.js.hand_in");
  button.addEventListener("click", () => ask(button, session, { id, job }));
  host.append(button);
}

/** The second click means it: a reading that was handed in stays as it is. */
async function ask(button, session, { id, job }) {
  if (!button.dataset.sure) {
    button.dataset.sure = "yes";
    button.classList.add("primary");
    button.textContent = t("apart.js.sure");
    return;
  }
  button.disabled = true;
  try {
    if (!(await session.flush())) {
      say(t("apart.js.keep_first"), "bad");
      button.disabled = false;
      return;
    }
    await send("POST", `/api/readings/${id}/done`);
    location.assign(`/adjudicate/${job}`);
  } catch {
    button.disabled = false; // why is said already
  }
}
