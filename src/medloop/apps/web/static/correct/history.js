// Undo and redo of a mask. Before voxels change, the tiles they lie in are put aside; what did
// not change is forgotten, a tile of one label is one number, and the oldest steps go when all
// take too much memory. The last step always stays.

import { clip, count, eachRow } from "./region.js";

const TILE = [32, 32, 8];

export class History {
  #mask;
  #limit;
  #done = [];
  #undone = [];
  #open = null;

  /** Keep steps of a mask, in so many bytes. */
  constructor(mask, limitBytes = 64 << 20) {
    this.#mask = mask;
    this.#limit = limitBytes;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** What was said of the steps that stand, in their order. */
  get notes() {
    return this.#done.map((step) => step.note);
  }

  /** Bytes that all steps take, about. */
  get bytes() {
    return [...this.#done, ...this.#undone].reduce((sum, step) => sum + step.bytes, 0);
  }

  /** Put the tiles of a box aside, as they are before they change; begins a step if none is open. */
  touch(box) {
    this.#open ??= new Map();
    const { size } = this.#mask;
    const clipped = clip(box, size);
    if (!clipped) return;
    const [low, high] = clipped;
    const first = low.map((n, axis) => Math.floor(n / TILE[axis]));
    const last = high.map((n, axis) => Math.floor((n - 1) / TILE[axis]));
    for (let z = first[2]; z <= last[2]; z += 1) {
      for (let y = first[1]; y <= last[1]; y += 1) {
        for (let x = first[0]; x <= last[0]; x += 1) {
          const key = `${x},${y},${z}`;
          if (this.#open.has(key)) continue;
          const tile = tileAt([x, y, z], size);
          this.#open.set(key, { box: tile, values: read(this.#mask, tile) });
        }
      }
    }
  }

  /**
   * End the step; true if a voxel changed in it. What was undone before is forgotten then. A note
   * stays with the step.
   */
  commit(note = null) {
    const tiles = [...(this.#open?.values() ?? [])].filter((tile) => differs(this.#mask, tile));
    this.#open = null;
    if (!tiles.length) return false;
    this.#done.push({ ...packed(tiles), note });
    this.#undone = [];
    let bytes = this.bytes;
    while (bytes > this.#limit && this.#done.length > 1) {
      bytes -= this.#done.shift().bytes;
    }
    return true;
  }

  /** Take the last step back; returns the boxes that changed. */
  undo() {
    return this.#move(this.#done, this.#undone);
  }

  /** Do the last step again that was taken back; returns the boxes that changed. */
  redo() {
    return this.#move(this.#undone, this.#done);
  }

  /** Forget all steps. */
  clear() {
    [this.#done, this.#undone, this.#open] = [[], [], null];
  }

  #move(from, to) {
    this.commit();
    const step = from.pop();
    if (!step) return [];
    const tiles = step.tiles.map(({ box, values }) => {
      const now = read(this.#mask, box);
      write(this.#mask, box, values);
      return { box, values: now };
    });
    to.push({ ...packed(tiles), note: step.note });
    return tiles.map((tile) => tile.box);
  }
}

function tileAt(index, size) {
  const low = index.map((n, axis) => n * TILE[axis]);
  return clip([low, low.map((n, axis) => n + TILE[axis])], size);
}

function read(mask, box) {
  const values = new mask.data.constructor(count(box));
  eachRow(mask.size, box, (start, length, n) => {
    values.set(mask.data.subarray(start, start + length), n);
  });
  return values;
}

function write(mask, box, values) {
  eachRow(mask.size, box, (start, length, n) => {
    if (typeof values === "number") mask.data.fill(values, start, start + length);
    else mask.data.set(values.subarray(n, n + length), start);
  });
}

function differs(mask, { box, values }) {
  const now = read(mask, box);
  return now.some((value, i) => value !== values[i]);
}

function packed(tiles) {
  let bytes = 0;
  const kept = tiles.map(({ box, values }) => {
    const isOne = values.every((value) => value === values[0]);
    bytes += isOne ? 64 : values.byteLength + 64;
    return { box, values: isOne ? values[0] : values };
  });
  return { tiles: kept, bytes };
}
