// Keeps the marked part of a page up to date: asks for the same page again and puts the new part
// in its place, unless somebody is using it or looks elsewhere. A part that can be old says so.

import { offerSignIn, say } from "../http.js";
import { t } from "../texts.js";

const EVERY_MS = 5000;
const TRIES = 2; // that fail before anything is said
let failures = 0;

async function renew() {
  const part = document.querySelector("[data-live]");
  if (!part || document.hidden || part.contains(document.activeElement)) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/login") {
    failures = TRIES;
    offerSignIn();
    return;
  }
  if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
  if (failures >= TRIES) say("");
  failures = 0;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.querySelector("[data-live]");
  if (next && !part.contains(document.activeElement) && next.innerHTML !== part.innerHTML) {
    part.replaceWith(next);
  }
}

function missed() {
  failures += 1;
  if (failures === TRIES) say(t("shell.js.offline"), "bad");
}

setInterval(() => renew().catch(missed), EVERY_MS);
