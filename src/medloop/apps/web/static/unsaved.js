// What is on the page and nowhere else yet: nobody leaves it without being asked.

const tests = [];

/** Name something that may be lost: `isUnsaved()` tells whether it would be now, `save()` tries. */
export function keep(isUnsaved, save = () => {}) {
  tests.push({ isUnsaved, save });
}

/** Whether leaving the page would lose something. */
export function isAnythingUnsaved() {
  return tests.some(({ isUnsaved }) => isUnsaved());
}

globalThis.addEventListener?.("beforeunload", (event) => {
  for (const { isUnsaved, save } of tests) {
    if (!isUnsaved()) continue;
    save();
    event.preventDefault();
  }
});
