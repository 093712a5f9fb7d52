// What a round brush covers. A voxel is covered if its center lies within the radius (mm) of the
// brush's center, which is the center of a voxel; a radius of 0 is that voxel alone.

import { clip, eachRow, union } from "./region.js";

const SLACK = 1e-6; // mm: a voxel that lies on the border belongs to it, however numbers round

/**
 * Paint, or erase, once. `options`: radius in mm; label; `axis` 0, 1 or 2 across the slice that a
 * disc lies in, null for a ball; `erases` takes the label away instead; `mayCover` whether other
 * labels are painted over; `only(offset)` tells which voxels may change; `before(box)` is called
 * ahead of any change. Returns the box that was looked at, null if it lies outside.
 */
export function stamp(mask, center, options) {
  const { size, spacing } = mask;
  const { radius, axis = null, before = null } = options;
  const reach = spacing.map((mm, n) => (n === axis ? 0 : Math.floor((radius + SLACK) / mm)));
  const box = clip(
    [center.map((c, n) => c - reach[n]), center.map((c, n) => c + reach[n] + 1)],
    size,
  );
  if (!box) return null;
  before?.(box);
  const limit = (radius + SLACK) ** 2;
  eachRow(size, box, (start, length) => {
    const row = Math.floor(start / size[0]);
    const dy = ((row % size[1]) - center[1]) * spacing[1];
    const dz = (Math.floor(row / size[1]) - center[2]) * spacing[2];
    const rest = limit - dy * dy - dz * dz;
    if (rest < 0) return;
    for (let i = 0; i < length; i += 1) {
      const dx = (box[0][0] + i - center[0]) * spacing[0];
      if (dx * dx <= rest) paint(mask.data, start + i, options);
    }
  });
  return box;
}

/** Paint along the straight line between two voxels, both ends covered; options as for `stamp`. */
export function stroke(mask, from, to, options) {
  let box = null;
  for (const center of line(from, to, mask.spacing, options.radius)) {
    box = union(box, stamp(mask, center, options));
  }
  return box;
}

/** Voxels on a line, so close that discs about them leave no gaps. */
export function line(from, to, spacing, radius) {
  const away = to.map((n, axis) => n - from[axis]);
  const length = Math.hypot(...away.map((n, axis) => n * spacing[axis]));
  const farthest = Math.max(...away.map(Math.abs));
  const steps = Math.min(Math.ceil(length / Math.max(radius / 3, 1e-9)), farthest);
  const centers = [from];
  for (let n = 1; n <= steps; n += 1) {
    const share = n / steps;
    centers.push(from.map((start, axis) => Math.round(start + share * away[axis])));
  }
  return centers;
}

function paint(data, place, { label, erases = false, mayCover = true, only = null }) {
  const had = data[place];
  if (erases ? had !== label : had === label || (had !== 0 && !mayCover)) return;
  if (only && !only(place)) return;
  data[place] = erases ? 0 : label;
}
