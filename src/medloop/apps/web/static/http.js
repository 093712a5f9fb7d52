// Requests to our own server. An error is one line in #status, and thrown for the caller.

import { t } from "./texts.js";
import { isAnythingUnsaved } from "./unsaved.js";

let csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
const place = document.getElementById("status");
let clearing = 0;

/** What the server refused: `status` is 0 where it did not answer at all; `told` in its words. */
export class RequestError extends Error {
  constructor(status, message, told = "") {
    super(message);
    this.status = status;
    this.told = told;
  }
}

/** Say one line to the person; kind is "", "ok" or "bad" (which stays until the next). */
export function say(line, kind = "") {
  clearTimeout(clearing);
  if (!place) return;
  place.textContent = line;
  place.dataset.kind = kind;
  if (kind !== "bad") clearing = setTimeout(() => (place.textContent = ""), 6000);
}

/** What a GET answers as JSON. `quiet` leaves errors to the caller. */
export function getJson(url, options = {}) {
  return send("GET", url, undefined, options);
}

/**
 * Send a request: a plain value goes as JSON, a Blob, FormData or buffer as it is.
 * Returns the JSON that was answered, null for nothing, or the Response itself.
 */
export async function send(method, url, body, options = {}) {
  try {
    return await sendOnce(method, url, body, options);
  } catch (error) {
    if (error.status === 403 && method !== "GET" && (await hasNewSession())) {
      return sendOnce(method, url, body, options).catch((again) => {
        throw complain(again, options.quiet);
      });
    }
    throw error instanceof RequestError ? complain(error, options.quiet) : error;
  }
}

async function sendOnce(method, url, body, { headers = {}, signal }) {
  const sent = { Accept: "application/json", "X-CSRF-Token": csrf, ...headers };
  const isRaw =
    body === undefined ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body);
  if (!isRaw) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers: sent,
      body: isRaw ? body : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(0, t("shell.js.offline"));
  }
  if (!answer.ok && answer.status !== 304) throw await refusal(answer);
  if (answer.status === 204 || answer.status === 304) return null;
  const kind = answer.headers.get("content-type") ?? "";
  return kind.includes("json") ? answer.json() : answer;
}

/** The header that changes of a session need, for requests that are sent in other ways. */
export function csrfHeader() {
  return { "X-CSRF-Token": csrf };
}

/** Whether somebody has signed in since, in another tab: its token is ours from now on. */
async function hasNewSession() {
  if (!csrf) return false;
  const me = await sendOnce("GET", "/api/me", undefined, {}).catch(() => null);
  if (!me?.csrf || me.csrf === csrf) return false;
  csrf = me.csrf;
  return true;
}

function complain(error, quiet) {
  if (!quiet) say(error.message, "bad");
  return error;
}

async function refusal(answer) {
  let told = "";
  try {
    told = (await answer.json()).error ?? "";
  } catch {
    told = "";
  }
  const general = {
    401: "shell.js.signed_out",
    409: "shell.js.stale",
    413: "shell.js.large",
    429: "shell.js.often",
    500: "shell.js.broken",
    503: "shell.js.broken",
  }[answer.status];
  if (answer.status === 401) leadToSignIn();
  const line = general ? t(general) : told || t("shell.js.failed", { status: answer.status });
  return new RequestError(answer.status, line, told);
}

/** Lead to the door; where that would lose something, let the person go there by another tab. */
function leadToSignIn() {
  setTimeout(() => {
    if (!isAnythingUnsaved()) return location.assign(doorTo());
    const door = { href: "/login", target: "_blank", rel: "noopener" };
    return sayWithDoor("shell.js.sign_in_beside", "shell.js.sign_in", door);
  }, 1500);
}

/** Say that the session has ended and what is shown may be old, with a way back to this page. */
export function offerSignIn() {
  if (place?.querySelector("a")) return; // it stands there already
  sayWithDoor("shell.js.old", "shell.js.enter", { href: doorTo() });
}

/** The page to sign in, from where one comes back here. */
function doorTo() {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

function sayWithDoor(line, name, door) {
  say(t(line), "bad");
  const link = Object.assign(document.createElement("a"), door);
  link.textContent = t(name);
  place?.append(" ", link);
}
