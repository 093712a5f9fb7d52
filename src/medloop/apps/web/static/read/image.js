// The volume, fetched in pieces from the slice outward that is looked at first.

const PIECE_BYTES = 6 << 20;
const AT_ONCE = 3;

/**
 * Fetch a scene's volume. Returns {data, size, loaded, done}: `loaded[z]` is 1 once a slice is
 * there, `done` resolves when all are. `tell(share)` is called after each piece.
 */
export function fetchVolume(url, scene, middle, tell = () => {}) {
  const [nx, ny, nz] = scene.size;
  const data = new Int16Array(nx * ny * nz).fill(-32768);
  const loaded = new Uint8Array(nz);
  const volume = { data, size: scene.size, loaded, done: null };
  const slice = nx * ny * 2;
  const waiting = pieces(nz, Math.max(1, Math.floor(PIECE_BYTES / slice)), middle);
  let arrived = 0;
  const work = async () => {
    for (let piece = waiting.shift(); piece; piece = waiting.shift()) {
      const [low, high] = piece;
      const bytes = await part(url, scene.offset + low * slice, scene.offset + high * slice);
      data.set(new Int16Array(bytes, 0, (high - low) * nx * ny), low * nx * ny);
      loaded.fill(1, low, high);
      arrived += high - low;
      tell(arrived / nz);
    }
  };
  volume.done = Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => volume);
  return volume;
}

/** Ranges [low, high) of slices, the one with the middle first, then its neighbors. */
function pieces(count, length, middle) {
  const all = [];
  for (let low = 0; low < count; low += length) all.push([low, Math.min(low + length, count)]);
  const away = ([low, high]) => Math.abs((low + high - 1) / 2 - middle);
  return all.sort((one, other) => away(one) - away(other));
}

async function part(url, first, end) {
  const answer = await fetch(url, {
    credentials: "same-origin",
    headers: { Range: `bytes=${first}-${end - 1}` },
  });
  if (!answer.ok) throw new Error(`the image could not be fetched (${answer.status})`);
  const bytes = await answer.arrayBuffer();
  return answer.status === 206 ? bytes : bytes.slice(first, end);
}
