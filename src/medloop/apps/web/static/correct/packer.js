// A worker that packs masks, so that the page stays smooth meanwhile.

import { writeNifti } from "./nifti.js";

self.addEventListener("message", async ({ data: { turn, data, header } }) => {
  try {
    const packed = await writeNifti({ data, header });
    self.postMessage({ turn, packed }, [packed.buffer]);
  } catch (error) {
    self.postMessage({ turn, error: error.message });
  }
});
