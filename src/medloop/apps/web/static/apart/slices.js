// The slices on which readers differ, one after the other: by slider, by keys, by difference.

import { t } from "../texts.js";

const figure = document.getElementById("difference");
const slider = document.getElementById("slice");

if (figure && slider) mount(figure, slider);

function mount(figure, slider) {
  const counts = JSON.parse(figure.dataset.counts);
  const image = figure.querySelector("img");
  const caption = figure.querySelector("figcaption");
  const number = document.getElementById("slice-number");
  const address = (z) => `${figure.dataset.base}${z}.png${figure.dataset.query}`;

  function show(z) {
    const to = Math.min(Math.max(z, 0), counts.length - 1);
    slider.value = String(to);
    image.src = address(to);
    number.textContent = `${to + 1} / ${counts.length}`;
    caption.textContent = t("adjudicate.js.apart_here", { n: counts[to] });
    for (const near of [to - 1, to + 1]) {
      if (near >= 0 && near < counts.length) new Image().src = address(near);
    }
  }

  function seek(step) {
    let z = Number(slider.value) + step;
    while (z >= 0 && z < counts.length && !counts[z]) z += step;
    if (z >= 0 && z < counts.length) show(z);
  }

  slider.addEventListener("input", () => show(Number(slider.value)));
  document.getElementById("previous").addEventListener("click", () => seek(-1));
  document.getElementById("next").addEventListener("click", () => seek(1));
  image.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      show(Number(slider.value) + Math.sign(event.deltaY));
    },
    { passive: false },
  );
}
