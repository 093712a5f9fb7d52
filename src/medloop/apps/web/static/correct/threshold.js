// Intensities decide which voxels may be painted.

/** Tell of a place in the data whether its intensity lies between two, both ends included. */
export function between(image, low, high) {
  return (place) => image[place] >= low && image[place] <= high;
}

/** The range of intensities about a place: within so many standard deviations of their mean. */
export function rangeAt(image, size, [x, y, z], reach = 2, deviations = 2.5) {
  let n = 0;
  let sum = 0;
  let squares = 0;
  for (let b = Math.max(y - reach, 0); b <= Math.min(y + reach, size[1] - 1); b += 1) {
    for (let a = Math.max(x - reach, 0); a <= Math.min(x + reach, size[0] - 1); a += 1) {
      const value = image[a + size[0] * (b + size[1] * z)];
      n += 1;
      sum += value;
      squares += value * value;
    }
  }
  const mean = sum / n;
  const spread = deviations * Math.sqrt(Math.max(squares / n - mean * mean, 0));
  return [Math.floor(mean - spread), Math.ceil(mean + spread)];
}

/** Gray values of a picture (RGBA, as a canvas gives them): ITU-R BT.601. */
export function gray(rgba) {
  const out = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < out.length; i += 1) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    out[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  }
  return out;
}
