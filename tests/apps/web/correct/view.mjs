// A plain viewer for tests: one slice on a canvas, as many screen pixels a voxel as asked for.

import { fetchMask } from "CORRECT/files.js";

export async function aView(canvas, { image, size, spacing, affine, maskUrl, scale }) {
  const fetched = await fetchMask(maskUrl);
  const axes = [[1, 2], [0, 2], [0, 1]];
  const state = { axis: 2, index: Math.floor(size[2] / 2), tool: null, pick: null };
  const colors = [null, [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66]];
  const voxel = (a, b) => {
    const at = [0, 0, 0];
    at[state.axis] = state.index;
    [at[axes[state.axis][0]], at[axes[state.axis][1]]] = [a, b];
    return at;
  };
  const place = ([x, y, z]) => x + size[0] * (y + size[1] * z);
  const draw = () => {
    const [across, down] = axes[state.axis].map((axis) => size[axis]);
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${across * scale}px`;
    canvas.style.height = `${down * scale}px`;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(across, down);
    for (let b = 0; b < down; b += 1) {
      for (let a = 0; a < across; a += 1) {
        const n = place(voxel(a, b));
        const gray = ((image[n] + 1000) / 1400) * 255;
        const color = colors[fetched.data[n] % colors.length] ?? null;
        for (let c = 0; c < 3; c += 1) {
          pixels.data[4 * (a + across * b) + c] = color ? 0.6 * gray + 0.4 * color[c] : gray;
        }
        pixels.data[4 * (a + across * b) + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
  };
  const told = (event) => ({
    index: voxel(Math.floor(event.offsetX / scale), Math.floor(event.offsetY / scale)),
    axis: state.axis,
    button: event.button,
    altKey: event.altKey,
  });
  let isDown = false;
  canvas.addEventListener("pointerdown", (event) => {
    if (state.pick) {
      const { index } = told(event);
      const mm = affine.slice(0, 3).map((row) => row[3] + index.reduce((sum, n, axis) => sum + row[axis] * n, 0));
      state.pick({ index, mm });
      return;
    }
    isDown = true;
    state.tool?.down(told(event));
  });
  canvas.addEventListener("pointermove", (event) => isDown && state.tool?.move(told(event)));
  canvas.addEventListener("pointerup", (event) => {
    isDown = false;
    state.tool?.up(told(event));
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  draw();
  return {
    size,
    spacing,
    image,
    mask: { ...fetched, spacing, changed: draw },
    slice: () => ({ axis: state.axis, index: state.index }),
    show: (axis, index) => {
      [state.axis, state.index] = [axis, index];
      draw();
    },
    setSegments: draw,
    setTool: (_, handlers = null) => {
      state.tool = handlers;
    },
    onPick: (callback) => {
      state.pick = callback;
      return () => {
        state.pick = null;
      };
    },
    goTo: (finding) => {
      state.went = finding.key;
    },
    state,
  };
}
