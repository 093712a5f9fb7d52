// Masks that tests draw, and random numbers that come the same each time.

export function aMask(size, spacing = [1, 1, 1], Kind = Uint8Array) {
  return { data: new Kind(size[0] * size[1] * size[2]), size, spacing };
}

export function random(seed) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return { next, whole: (low, high) => low + Math.floor(next() * (high - low + 1)) };
}

export function aRandomMask(rng, { most = 14, labels = 3, share = 0.4 } = {}) {
  const size = [rng.whole(1, most), rng.whole(1, most), rng.whole(1, most)];
  const spacing = [0, 0, 0].map(() => 0.3 + 3 * rng.next());
  const mask = aMask(size, spacing);
  for (let i = 0; i < mask.data.length; i += 1) {
    mask.data[i] = rng.next() < share ? rng.whole(1, labels) : 0;
  }
  return mask;
}

export function places(size) {
  const all = [];
  for (let z = 0; z < size[2]; z += 1) {
    for (let y = 0; y < size[1]; y += 1) {
      for (let x = 0; x < size[0]; x += 1) all.push([x, y, z]);
    }
  }
  return all;
}
