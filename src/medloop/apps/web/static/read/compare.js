// The earlier study beside the present one; once linked, both go the same way in millimetres.

import { button, el } from "../correct/dom.js";
import { fetchMask } from "../correct/files.js";
import { getJson, say } from "../http.js";
import { lang, t } from "../texts.js";
import { createPictureView } from "./picture.js";
import { createVolumeView } from "./volume.js";

/** Make what compares: {toggle, link}; the earlier images are loaded when they are first wanted. */
export function comparing(host, bar, scene, view) {
  const prior = scene.prior;
  if (!prior) return { toggle: () => {}, link: () => {} };
  let earlier = null;
  let isLinked = true;
  const show = button(t("read.js.prior"), t("read.js.prior_title", { date: day(prior.date), days: prior.days }), () => toggle(), { "aria-pressed": "false" });
  const link = button(t("read.js.link"), t("read.js.linked"), () => toggleLink(), { "aria-pressed": "true" });
  bar.append(el("div", { class: "read-group" }, show, link));

  const toggleLink = () => {
    isLinked = !isLinked;
    link.setAttribute("aria-pressed", String(isLinked));
  };
  const toggle = async () => {
    host.hidden = !host.hidden;
    show.setAttribute("aria-pressed", String(!host.hidden));
    if (!earlier) earlier = await open(host, prior, view);
    if (isLinked && !host.hidden) follow(view, earlier);
  };
  view.addEventListener("cross", (event) => {
    if (earlier && isLinked && event.detail.from !== earlier) earlier.moveBy(view);
  });
  for (const name of ["window", "layout", "slab"]) {
    view.addEventListener(name, () => earlier && isLinked && follow(view, earlier));
  }
  return { toggle, link: toggleLink };
}

async function open(host, prior, view) {
  const base = `/api/jobs/${prior.job}`;
  const scene = await getJson(`${base}/scene?lang=${lang}`);
  const title = el("p", { class: "read-title" }, `${t("read.js.prior")} ${day(prior.date)}`);
  const place = el("div", { class: "read-view" });
  host.replaceChildren(title, place);
  const urls = { volume: `${base}/volume.nii`, picture: `${base}/picture`, heat: `${base}/heat/heatmap` };
  const make = scene.kind === "volume" ? createVolumeView : createPictureView;
  const earlier = make(place, scene, urls);
  earlier.done.catch(() => say(t("read.js.prior_failed"), "bad"));
  earlier.moveBy = mover(view, earlier);
  earlier.moveBy(view);
  if (scene.segments?.length) {
    fetchMask(`${base}/labels.nii.gz`).then((mask) => earlier.setMask(mask, scene.segments), () => say(t("read.js.mask_failed"), "bad"));
  }
  return earlier;
}

/**
 * Let the earlier view go as far as the present one goes. They begin at lesions that are the same,
 * or at the same share of the volume; where a reader moves the earlier one alone, that stays.
 */
function mover(view, earlier) {
  if (view.scene.kind !== "volume" || earlier.scene.kind !== "volume") return () => {};
  let [last, place] = common(view, earlier);
  earlier.addEventListener("cross", ({ detail }) => {
    if (detail.from !== view) place = [...earlier.cross];
  });
  return () => {
    const steps = view.cross.map((n, axis) => ((n - last[axis]) * view.spacing[axis]) / earlier.spacing[axis]);
    last = [...view.cross];
    place = place.map((n, axis) => Math.max(0, Math.min(earlier.size[axis] - 1, n + steps[axis])));
    earlier.setCross(place, view);
  };
}

/** Places of the two that belong together: a lesion seen in both, or the same share of each. */
function common(view, earlier) {
  const nearest = [...view.scene.findings].sort((one) => (one.key === view.current ? -1 : 1));
  for (const now of nearest.filter((each) => each.tracking && each.index)) {
    const then = earlier.scene.findings.find((each) => each.tracking === now.tracking && each.index);
    if (then) return [now.index, then.index];
  }
  const share = view.cross.map((n, axis) => (n / Math.max(view.size[axis] - 1, 1)) * (earlier.size[axis] - 1));
  return [[...view.cross], share];
}

function follow(view, earlier) {
  if (view.scene.kind !== "volume" || earlier.scene.kind !== "volume") return;
  if (earlier.layout !== view.layout) earlier.setLayout(view.layout);
  earlier.setWindow(view.window);
  earlier.setSlab(view.slab);
}

function day(date) {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date;
}
