// Bits as they travel: eight voxels a byte, the first in the highest bit (numpy.packbits), base64.

/** Pack bytes of 0 and 1. */
export function pack(bits) {
  const out = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bits.length; i += 1) {
    if (bits[i]) out[i >> 3] |= 128 >> (i & 7);
  }
  return out;
}

/** Unpack so many bits. */
export function unpack(packed, length) {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) out[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return out;
}

/** Bytes as base64. */
export function encode(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}

/** Base64 as bytes. */
export function decode(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
