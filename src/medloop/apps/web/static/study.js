// A study whose analyses are not done is looked at again; once one moved on, the page is new.

import { getJson, say } from "./http.js";

const EVERY_MS = 3000;
const TRIES = 2; // that fail before anything is said
let failures = 0;
const head = document.getElementById("head");
const before = head.dataset.jobs.trim().split(" ").filter(Boolean).sort().join(" ");
const isMoving = !before || /:(waiting|running|sending)/.test(before);

async function look() {
  try {
    const told = await getJson(`/api/studies/${head.dataset.study}`, { quiet: true });
    const now = told.newest_jobs.map((job) => `${job.id}:${job.state}`).sort().join(" ");
    if (now !== before) return location.reload();
    if (failures >= TRIES) say("");
    failures = 0;
  } catch (error) {
    failures += 1; // the next look tells whether the server is back
    if (failures >= TRIES) say(error.message, "bad");
  }
  return setTimeout(look, EVERY_MS);
}

// A series that cannot be drawn shows what was analyzed, or nothing.
for (const image of document.querySelectorAll("img.thumb")) {
  const replace = () => {
    const { instead } = image.dataset;
    image.dataset.instead = "";
    if (instead && !image.src.endsWith(instead)) image.src = instead;
    else image.hidden = true;
  };
  image.addEventListener("error", replace);
  if (image.complete && !image.naturalWidth) replace();
}

if (isMoving) setTimeout(look, EVERY_MS);
