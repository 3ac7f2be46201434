// The book's encoders and decoders in plain JavaScript: linear layers, activations, Bernoulli and Gaussian heads.
// What it computes is held against PyTorch's output by tests/widgets.

/** Bytes of base64 text. */
export function bytesOf(base64) {
  let text;
  try { text = atob(base64); } catch { throw new Error("it is damaged: its weights are no base64"); }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xEDB88320 ^ n >>> 1 : n >>> 1;
  return n;
});
/** The checksum of bytes (CRC-32, as in zip files); `before` is that of the bytes before them. */
export function crc32(bytes, before = 0) {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = CRC[(c ^ bytes[i]) & 255] ^ c >>> 8;
  return ~c >>> 0;
}

/** The number that 16 bits hold (IEEE 754 binary16). */
export function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Each reader takes `rows` by `columns` numbers from `at` and gives [Float32Array, where they end].
const READERS = {
  float32(view, at, rows, columns) {
    const out = new Float32Array(rows * columns);
    for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(at + 4 * i, true);
    return [out, at + 4 * out.length];
  },
  float16(view, at, rows, columns) {
    const out = new Float32Array(rows * columns);
    for (let i = 0; i < out.length; i++) out[i] = half(view.getUint16(at + 2 * i, true));
    return [out, at + 2 * out.length];
  },
  int8(view, at, rows, columns) { // a float32 scale for each row, then the rows
    const out = new Float32Array(rows * columns), start = at + 4 * rows;
    const levels = new Int8Array(view.buffer, view.byteOffset + start, out.length);
    for (let r = 0, i = 0; r < rows; r++) {
      const scale = view.getFloat32(at + 4 * r, true);
      for (let c = 0; c < columns; c++, i++) out[i] = scale * levels[i];
    }
    return [out, start + out.length];
  },
};

const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const ACTIVATIONS = {
  tanh: Math.tanh,
  relu: (a) => (a > 0 ? a : 0),
  softplus: (a) => (a > 20 ? a : Math.log1p(Math.exp(a))),
  sigmoid,
};

function linear(inputs, outputs, weight, bias) {
  return (x) => {
    const y = Float32Array.from(bias);
    let r = 0;
    for (; r + 3 < outputs; r += 4) { // four rows at a time: the processor works on them side by side
      let a = 0, b = 0, c = 0, d = 0;
      for (let i = 0, w = r * inputs; i < inputs; i++, w++) {
        const v = x[i];
        a += weight[w] * v;
        b += weight[w + inputs] * v;
        c += weight[w + 2 * inputs] * v;
        d += weight[w + 3 * inputs] * v;
      }
      y[r] += a;
      y[r + 1] += b;
      y[r + 2] += c;
      y[r + 3] += d;
    }
    for (; r < outputs; r++) {
      let a = 0;
      for (let i = 0, w = r * inputs; i < inputs; i++, w++) a += weight[w] * x[i];
      y[r] += a;
    }
    return y;
  };
}

const HEADS = {
  /** The probabilities of ones, (D). */
  bernoulli: (a) => ({ mean: a.map(sigmoid) }),
  /** Mean and standard deviation, (D) each, from (mean, log variance). */
  gaussian(a) {
    const size = a.length / 2;
    return { mean: a.slice(0, size), sd: a.slice(size).map((v) => Math.exp(0.5 * v)) };
  },
  /** The same with means in (0, 1). */
  "gaussian-sigmoid"(a) {
    const { mean, sd } = HEADS.gaussian(a);
    return { mean: mean.map(sigmoid), sd };
  },
};

/**
 * The network that `spec` describes, with weights from `bytes` (a Uint8Array): a function of a point (an array of
 * `spec.inputs` numbers) that gives {mean} or {mean, sd}. Throws an Error that says what is wrong with a damaged one.
 */
export function network(spec, bytes) {
  const { crc32: sum, ...rest } = spec ?? {};
  if (crc32(bytes, crc32(new TextEncoder().encode(JSON.stringify(rest)))) !== sum) throw new Error("it is damaged: its sum isn't what it should be");
  const head = HEADS[spec.head];
  if (!READERS[spec.weights] || !head) throw new Error(`unknown kind of network (${spec.head}, ${spec.weights})`);
  const expected = spec.bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), steps = [];
  let at = 0;
  for (const [kind, inputs, outputs, format] of spec.layers) {
    if (kind !== "linear") {
      const f = ACTIVATIONS[kind];
      if (!f) throw new Error(`unknown layer ${kind}`);
      steps.push((x) => x.map(f));
      continue;
    }
    const [weight, after] = READERS[format](view, at, outputs, inputs);
    const [bias, end] = READERS[format === "float16" ? "float16" : "float32"](view, after, 1, outputs);
    at = end;
    steps.push(linear(inputs, outputs, weight, bias));
  }
  if (at !== expected) throw new Error(`its weights are damaged: ${at} bytes read of ${expected}`);
  return (point) => {
    if (point.length !== spec.inputs) throw new Error(`${spec.inputs} numbers expected, got ${point.length}`);
    return head(steps.reduce((x, step) => step(x), Float32Array.from(point)));
  };
}
