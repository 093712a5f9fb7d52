// Boxes of voxels and what lies in them. A mask is {data, size, spacing}: x fastest, size and
// spacing [x, y, z]; a box is [low, high], high not in it; bits hold one byte a voxel, 0 or 1.

/** Place of a voxel in the data. */
export function offset(size, [x, y, z]) {
  return x + size[0] * (y + size[1] * z);
}

/** How many voxels a box has along x, y and z. */
export function extent([low, high]) {
  return [high[0] - low[0], high[1] - low[1], high[2] - low[2]];
}

/** How many voxels a box has. */
export function count(box) {
  const [x, y, z] = extent(box);
  return x * y * z;
}

/** The part of a box that lies in a volume; null if none does. */
export function clip([low, high], size) {
  const lower = low.map((n) => Math.max(n, 0));
  const upper = high.map((n, axis) => Math.min(n, size[axis]));
  return upper.every((n, axis) => n > lower[axis]) ? [lower, upper] : null;
}

/** The smallest box that holds two; either may be null. */
export function union(one, other) {
  if (!one || !other) return one || other;
  return [
    one[0].map((n, axis) => Math.min(n, other[0][axis])),
    one[1].map((n, axis) => Math.max(n, other[1][axis])),
  ];
}

/** The box about places, wider by so much along each axis, in the volume; null without places. */
export function around(places, margin, size) {
  let box = null;
  for (const place of places) {
    box = union(box, [place, place.map((n) => n + 1)]);
  }
  if (!box) return null;
  const low = box[0].map((n, axis) => n - margin[axis]);
  const high = box[1].map((n, axis) => n + margin[axis]);
  return clip([low, high], size);
}

/** Call `visit(start, length, n)` for each row of a box: place in the data, length, place in bits. */
export function eachRow(size, [low, high], visit) {
  const length = high[0] - low[0];
  let n = 0;
  for (let z = low[2]; z < high[2]; z += 1) {
    for (let y = low[1]; y < high[1]; y += 1) {
      visit(offset(size, [low[0], y, z]), length, n);
      n += length;
    }
  }
}

/** The box that holds all voxels of a label; null if there is none. */
export function boundsOf({ data, size }, label) {
  const low = [...size];
  const high = [0, 0, 0];
  let first = data.indexOf(label);
  while (first >= 0) {
    const row = Math.floor(first / size[0]);
    const start = row * size[0];
    const last = data.lastIndexOf(label, start + size[0] - 1);
    const place = [first - start, row % size[1], Math.floor(row / size[1])];
    const end = [last - start, place[1], place[2]];
    for (let axis = 0; axis < 3; axis += 1) {
      low[axis] = Math.min(low[axis], place[axis]);
      high[axis] = Math.max(high[axis], end[axis] + 1);
    }
    first = data.indexOf(label, start + size[0]); // from the next row on
  }
  return high[0] ? [low, high] : null;
}

/** Which voxels of a box have a label. */
export function crop(mask, box, label) {
  const bits = new Uint8Array(count(box));
  eachRow(mask.size, box, (start, length, n) => {
    for (let i = 0; i < length; i += 1) {
      if (mask.data[start + i] === label) bits[n + i] = 1;
    }
  });
  return bits;
}

/**
 * Give the voxels of a box a label where bits are set, and take it away where they are not.
 * Where `mayCover` is false, voxels of other labels stay. Returns how many voxels changed.
 */
export function put(mask, box, bits, label, mayCover = true) {
  let changed = 0;
  eachRow(mask.size, box, (start, length, n) => {
    for (let i = 0; i < length; i += 1) {
      const had = mask.data[start + i];
      const wanted = bits[n + i]
        ? had === 0 || mayCover ? label : had
        : had === label ? 0 : had;
      if (wanted !== had) {
        mask.data[start + i] = wanted;
        changed += 1;
      }
    }
  });
  return changed;
}

/** Copy bits of an inner box over those of an outer one that holds it. */
export function overlay(outer, bits, inner, innerBits) {
  const size = extent(outer);
  const place = [0, 1].map((end) => inner[end].map((n, axis) => n - outer[0][axis]));
  eachRow(size, place, (start, length, n) => {
    bits.set(innerBits.subarray(n, n + length), start);
  });
}
