// Masks as NIfTI-1 files. The header comes from the server with the mask and goes back as it
// was, so that the grid stays the same to the last bit.

const KINDS = { 2: Uint8Array, 512: Uint16Array };
const MAGIC = "n+1";

/** Read a mask of unsigned integers: {data, size, header}, from bytes that may be gzipped. */
export async function readNifti(bytes) {
  const raw = bytes[0] === 0x1f && bytes[1] === 0x8b ? await gunzip(bytes) : bytes;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const magic = String.fromCharCode(...raw.subarray(344, 347));
  if (raw.length < 352 || view.getInt32(0, true) !== 348 || magic !== MAGIC) {
    throw new Error("not a NIfTI-1 file");
  }
  const Kind = KINDS[view.getInt16(70, true)];
  if (!Kind) throw new Error(`values of NIfTI type ${view.getInt16(70, true)} are no labels`);
  const size = [42, 44, 46].map((at) => Math.max(view.getInt16(at, true), 1));
  const first = Math.round(view.getFloat32(108, true));
  const voxels = size[0] * size[1] * size[2];
  const end = first + voxels * Kind.BYTES_PER_ELEMENT;
  if (raw.length < end) throw new Error(`NIfTI is truncated: ${raw.length} bytes of ${end}`);
  return { data: new Kind(raw.slice(first, end).buffer), size, header: raw.slice(0, first) };
}

/** Write a mask with the header it came with, gzipped: as unsigned bytes, or words if need be. */
export async function writeNifti({ data, header }) {
  const Kind = data.constructor;
  const code = Number(Object.keys(KINDS).find((each) => KINDS[each] === Kind));
  if (!code) throw new Error("labels are unsigned bytes or words");
  const head = header.slice();
  const view = new DataView(head.buffer);
  view.setInt16(70, code, true);
  view.setInt16(72, 8 * Kind.BYTES_PER_ELEMENT, true);
  const body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return gzip([head, body]);
}

async function gzip(parts) {
  return through(parts, new CompressionStream("gzip"));
}

async function gunzip(bytes) {
  return through([bytes], new DecompressionStream("gzip"));
}

async function through(parts, stream) {
  const packed = new Blob(parts).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
