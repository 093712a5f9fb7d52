// The reading page: images at once, then what may be corrected and reported.

import { showFindings } from "../findings.js";
import { fetchMask } from "../correct/files.js";
import { isWriting } from "../correct/dom.js";
import { getJson, say, send } from "../http.js";
import { lang, t } from "../texts.js";
import { comparing } from "./compare.js";
import { showBar, showLayers } from "./controls.js";
import { createPictureView } from "./picture.js";
import { createVolumeView } from "./volume.js";

const place = document.getElementById("reading");
const part = (id) => document.getElementById(id);
const job = Number(place.dataset.job);
const base = `/api/jobs/${job}`;

performance.mark("medloop-begin");
part("preview").decode().then(() => performance.mark("medloop-preview"), () => {});

/** Everything the page shows, put together; other modules find it here. */
export const page = {};

begin().catch((error) => {
  say(`${t("read.js.failed")} ${error.message}`, "bad");
  place.dataset.failed = error.message;
});

async function begin() {
  const reading = place.dataset.mayCorrect ? openReading() : Promise.resolve(null);
  const scene = await getJson(`${base}/scene?lang=${lang}`);
  const isVolume = scene.kind === "volume";
  const heat = isVolume ? `${base}/heat.gz` : `${base}/heat/heatmap`;
  const urls = { volume: `${base}/volume.nii`, picture: `${base}/picture`, heat, preview: part("preview") };
  const make = isVolume ? createVolumeView : createPictureView;
  const view = make(part("view"), scene, urls);
  Object.assign(page, { scene, view });
  place.dataset.kind = scene.kind;
  view.addEventListener("arrived", ({ detail }) => progress(detail.share));
  view.addEventListener("arrived", () => performance.mark("medloop-slice"), { once: true });
  const bar = showBar(part("bar"), view);
  const compare = comparing(part("prior"), part("bar"), scene, view);
  page.reading = await reading;
  const layers = showLayers(part("layers"), view, page.reading?.segments ?? scene.segments ?? []);
  const list = page.reading ? null : showFindings(part("findings"), scene.findings, view);
  document.addEventListener("keydown", (event) => onKey(event, { view, bar, compare, layers, list }));
  await view.done;
  performance.mark("medloop-volume");
  place.dataset.ready = "image";
  await showMask(view, scene);
  await mount(view, layers);
  place.dataset.ready = "all";
}

/** Open one's own reading of the job, or go on with it; null where that is not offered. */
async function openReading() {
  try {
    const asked = new URLSearchParams(location.search).get("purpose");
    const purpose = asked === "adjudicate" ? asked : "read";
    return await send("POST", `${base}/reading?lang=${lang}`, { purpose }, { quiet: true });
  } catch (error) {
    say(t("read.js.not_correcting", { why: error.message }), "bad");
    return null;
  }
}

async function showMask(view, scene) {
  const { reading } = page;
  const url = reading?.mask?.url ?? (scene.labels ? `${base}/labels.nii.gz` : null);
  if (!url) return;
  try {
    view.setMask(await fetchMask(url), reading?.segments ?? scene.segments);
  } catch (error) {
    place.dataset.maskFailed = error.message;
    say(t("read.js.mask_failed"), "bad"); // without it an image looks as if nothing was found
  }
}

/** Let the parts for correcting and reporting show themselves. */
async function mount(view, layers) {
  const { reading } = page;
  if (!reading) return;
  const { mountCorrect } = await import("../correct/index.js");
  try {
    page.correct = await mountCorrect(part("correct"), reading, view);
  } catch (error) {
    say(error.message, "bad");
    page.list = showFindings(part("findings"), view.scene.findings, view);
    return;
  }
  const { session, masking, list } = page.correct;
  if (view.current) list.select(view.current);
  const follow = () => view.setPlaces(placesOf(view, session.reading.findings));
  session.addEventListener("changed", follow);
  follow();
  masking?.addEventListener("changed", () => layers.segments(masking.segments));
  if (masking) layers.segments(masking.segments);
  await mountReport(session);
  const { mountHandIn } = await import("../apart/handin.js");
  mountHandIn(part("handin"), session);
}

async function mountReport(session) {
  const address = place.dataset.report;
  if (!address) return;
  const { mountReport: show } = await import(address);
  page.report = await show(part("report"), session);
}

/** Where findings are marked, those that were rejected left out. */
function placesOf(view, findings) {
  return findings
    .filter(({ state }) => state !== "rejected")
    .map((finding) => {
      const known = view.scene.findings.find(({ key }) => key === finding.key);
      const index = finding.state === "proposed" && known?.index ? known.index : view.indexOf(finding);
      return index ? { ...known, key: finding.key, index, radius_mm: known?.radius_mm ?? 6 } : null;
    })
    .filter(Boolean);
}

function progress(share) {
  const bar = part("progress");
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  bar.dataset.share = String(Math.round(10 * share));
  bar.hidden = share >= 1;
}

function onKey(event, { view, bar, compare, layers, list }) {
  if (isWriting(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const isRange = event.target?.type === "range";
  const moves = {
    ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10,
  };
  if (event.key in moves && !isRange) {
    event.preventDefault();
    view.scroll(moves[event.key]);
    return;
  }
  const acts = {
    m: bar.measure, v: bar.layout, f: () => view.fit(), h: layers.hide, p: compare.toggle, l: compare.link,
    ...(list ? { j: () => list.move(1), k: () => list.move(-1) } : {}),
  };
  const act = /^[1-5]$/.test(event.key) ? () => bar.window(Number(event.key) - 1) : acts[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}
