// Pieces of a label, and holes in it. What is found is returned as bits of a box (region.js).

import { boundsOf, crop, extent } from "./region.js";

/**
 * Name the connected pieces of bits: those whose faces, edges or corners touch (26 neighbors; 8
 * in one slice). Returns {names, sizes}: the piece of each voxel from 1 on, voxels of each piece.
 */
export function pieces(bits, size) {
  const names = new Int32Array(bits.length);
  const sizes = [0];
  const stack = [];
  const steps = neighbors(size, 3);
  for (let seed = 0; seed < bits.length; seed += 1) {
    if (!bits[seed] || names[seed]) continue;
    const name = sizes.length;
    sizes.push(flood(bits, names, size, { seed, name, wanted: 1, steps, stack }));
  }
  return { names, sizes };
}

/** Keep the largest piece of a label; null if it has one piece or none. */
export function keepLargest(mask, label) {
  return keep(mask, label, (size, largest) => size === largest, true);
}

/** Keep the pieces of a label that have so many voxels; null if nothing is smaller. */
export function removeSmall(mask, label, least) {
  return keep(mask, label, (size) => size >= least, false);
}

/**
 * Fill what a label encloses: null if it has no holes. `axis` fills slice by slice across that
 * axis, null only what is enclosed in space.
 */
export function fillHoles(mask, label, axis = null) {
  const box = boundsOf(mask, label);
  if (!box) return null;
  const size = extent(box);
  const bits = crop(mask, box, label);
  const names = new Int32Array(bits.length);
  const steps = neighbors(size, 1).filter((step) => axis === null || step.move[axis] === 0);
  const stack = [];
  for (let seed = 0; seed < bits.length; seed += 1) {
    if (bits[seed] || names[seed] || !isAtBorder(seed, size, axis)) continue;
    flood(bits, names, size, { seed, name: 1, wanted: 0, steps, stack });
  }
  let filled = 0;
  for (let i = 0; i < bits.length; i += 1) {
    if (!bits[i] && !names[i]) {
      bits[i] = 1;
      filled += 1;
    }
  }
  return filled ? { box, bits } : null;
}

function keep(mask, label, isKept, isOne) {
  const box = boundsOf(mask, label);
  if (!box) return null;
  const bits = crop(mask, box, label);
  const { names, sizes } = pieces(bits, extent(box));
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  let kept = sizes.map((size, name) => name > 0 && isKept(size, largest));
  if (isOne) {
    const first = kept.indexOf(true);
    kept = kept.map((_, name) => name === first);
  }
  if (kept.every((stays, name) => stays || name === 0)) return null;
  for (let i = 0; i < bits.length; i += 1) {
    if (!kept[names[i]]) bits[i] = 0;
  }
  return { box, bits };
}

/** Steps to neighbors that differ along so many axes at most. */
function neighbors(size, most) {
  const found = [];
  for (let z = -1; z <= 1; z += 1) {
    for (let y = -1; y <= 1; y += 1) {
      for (let x = -1; x <= 1; x += 1) {
        const moved = Math.abs(x) + Math.abs(y) + Math.abs(z);
        if (moved === 0 || moved > most) continue;
        found.push({ move: [x, y, z], by: x + size[0] * (y + size[1] * z) });
      }
    }
  }
  return found;
}

/** Name everything that hangs together with a seed; returns how many voxels that are. */
function flood(bits, names, size, { seed, name, wanted, steps, stack }) {
  let found = 1;
  names[seed] = name;
  stack.push(seed);
  while (stack.length) {
    const here = stack.pop();
    const x = here % size[0];
    const row = (here - x) / size[0];
    const y = row % size[1];
    const z = (row - y) / size[1];
    for (const { move, by } of steps) {
      const isInside =
        x + move[0] >= 0 && x + move[0] < size[0] &&
        y + move[1] >= 0 && y + move[1] < size[1] &&
        z + move[2] >= 0 && z + move[2] < size[2];
      if (!isInside || bits[here + by] !== wanted || names[here + by]) continue;
      names[here + by] = name;
      found += 1;
      stack.push(here + by);
    }
  }
  return found;
}

function isAtBorder(place, size, axis) {
  const row = Math.floor(place / size[0]);
  const where = [place % size[0], row % size[1], Math.floor(row / size[1])];
  return where.some((n, each) => each !== axis && (n === 0 || n === size[each] - 1));
}
