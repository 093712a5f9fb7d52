// Slices of a volume as pixels. Voxels are [x, y, z], x fastest, toward the patient's right, front
// and head. Radiologists look from the feet, from the front and from the left: every picture below
// has its columns and rows turned round, so that right, front and head are left, left and top.

/** Which axis a plane is across, and which axes run along its columns and rows. */
export const PLANES = {
  axial: { axis: 2, u: 0, v: 1, letters: ["R", "L", "A", "P"] },
  coronal: { axis: 1, u: 0, v: 2, letters: ["R", "L", "S", "I"] },
  sagittal: { axis: 0, u: 1, v: 2, letters: ["A", "P", "S", "I"] },
};

/** Gray of each stored value of int16, as a pixel of ImageData (little endian RGBA). */
export function grays({ center, width }, slope = 1, intercept = 0) {
  const table = new Uint32Array(65536);
  const low = center - width / 2;
  const scale = 255 / Math.max(width, 1e-9);
  for (let stored = -32768; stored < 32768; stored += 1) {
    const level = Math.max(0, Math.min(255, Math.round((stored * slope + intercept - low) * scale)));
    table[stored + 32768] = 0xff000000 | (level << 16) | (level << 8) | level;
  }
  return table;
}

/** Width and height in pixels of a plane's pictures. */
export function pixels(size, { u, v }) {
  return [size[u], size[v]];
}

/** Draw one slice into pixels; `slab` {slices, mode} looks through several about it. */
export function drawSlice(out, volume, plane, index, table, slab = null) {
  const { data, size } = volume;
  const step = [1, size[0], size[0] * size[1]];
  const [width, height] = pixels(size, plane);
  const du = step[plane.u];
  const last = (width - 1) * du;
  const deep = slab && slab.slices > 1 ? reach(index, slab.slices, size[plane.axis]) : null;
  const first = (deep ? deep[0] : index) * step[plane.axis];
  let at = 0;
  for (let row = height - 1; row >= 0; row -= 1) {
    let from = first + row * step[plane.v] + last;
    for (let column = 0; column < width; column += 1, at += 1, from -= du) {
      const value = deep ? along(data, from, step[plane.axis], deep[2], slab.mode) : data[from];
      out[at] = table[value + 32768];
    }
  }
}

/** First and last slice of a slab, and how many they are. */
function reach(index, slices, count) {
  const half = Math.floor(slices / 2);
  const low = Math.max(index - half, 0);
  const high = Math.min(low + slices - 1, count - 1);
  return [low, high, high - low + 1];
}

function along(data, from, step, count, mode) {
  let value = data[from];
  let place = from + step;
  if (mode === "mean") {
    for (let n = 1; n < count; n += 1, place += step) value += data[place];
    return Math.round(value / count);
  }
  if (mode === "min") {
    for (let n = 1; n < count; n += 1, place += step) if (data[place] < value) value = data[place];
    return value;
  }
  for (let n = 1; n < count; n += 1, place += step) if (data[place] > value) value = data[place];
  return value;
}

/** Draw the labels of one slice into pixels; returns whether there are any. */
export function drawLabels(out, mask, plane, index, colors) {
  const { data, size } = mask;
  const step = [1, size[0], size[0] * size[1]];
  const [width, height] = pixels(size, plane);
  const first = index * step[plane.axis] + (width - 1) * step[plane.u];
  let any = false;
  let at = 0;
  for (let row = height - 1; row >= 0; row -= 1) {
    let from = first + row * step[plane.v];
    for (let column = 0; column < width; column += 1, at += 1, from -= step[plane.u]) {
      const label = data[from];
      out[at] = label ? (colors[label] ?? 0xff00ffff) : 0;
      any ||= label !== 0;
    }
  }
  return any;
}

/** Colors of segments as pixels, by their numbers; 0 where one is hidden. */
export function colorsOf(segments, hidden = new Set()) {
  const colors = [];
  for (const { number, color } of segments) {
    const [r, g, b] = [1, 3, 5].map((n) => Number.parseInt(color.slice(n, n + 2), 16));
    colors[number] = hidden.has(number) ? 0 : 0xff000000 | (b << 16) | (g << 8) | r;
  }
  return colors.map((color) => color >>> 0);
}
