// Keeps the marked part of a page up to date: asks for the same page again and puts the new part
// in its place, unless somebody is using it or looks elsewhere.

const EVERY_MS = 5000;

async function renew() {
  const part = document.querySelector("[data-live]");
  if (!part || document.hidden || part.contains(document.activeElement)) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.querySelector("[data-live]");
  if (next && !part.contains(document.activeElement) && next.innerHTML !== part.innerHTML) {
    part.replaceWith(next);
  }
}

setInterval(() => renew().catch(() => {}), EVERY_MS);
