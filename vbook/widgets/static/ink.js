// Ink on a paper of small cells, and the binary picture that it makes: scaled and centred as MNIST's images were.
import { clamp } from "./ui.js";

const SIDE = 28, FINE = 56, PEN = 2.3; // pixels a side, cells a side, the pen's radius in cells
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Ink (or with `value` 0 paper) on all cells whose centre is within `radius` of the stroke from (x0, y0) to (x1, y1). */
export function stroke(ink, [x0, y0], [x1, y1], value = 1, radius = PEN) {
  const [dx, dy] = [x1 - x0, y1 - y0], square = dx * dx + dy * dy || 1;
  for (let row = 0; row < FINE; row++) for (let column = 0; column < FINE; column++) {
    const [x, y] = [column + 0.5, row + 0.5], t = clamp(((x - x0) * dx + (y - y0) * dy) / square, 0, 1);
    if ((x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2 <= radius * radius) ink[row * FINE + column] = value;
  }
}

/** Grey levels of SIDE × SIDE pixels: each the share of its area that is inked, cells being `scale` wide from (left, top). */
function covered(ink, scale, left, top) {
  const grey = new Float64Array(SIDE * SIDE);
  ink.forEach((on, i) => {
    if (!on) return;
    const x = left + scale * (i % FINE), y = top + scale * Math.floor(i / FINE);
    for (let row = Math.max(0, Math.floor(y)); row < Math.min(SIDE, y + scale); row++) {
      const high = Math.min(row + 1, y + scale) - Math.max(row, y);
      for (let column = Math.max(0, Math.floor(x)); column < Math.min(SIDE, x + scale); column++) {
        grey[row * SIDE + column] += high * (Math.min(column + 1, x + scale) - Math.max(column, x));
      }
    }
  });
  return grey;
}

/** As MNIST was made: the ink scaled to fit 20 × 20 pixels, then moved by whole pixels, its centre of mass nearest to pixel (14, 14). */
export function fitted(ink) {
  let [low, high, first, last, x, y, n] = [FINE, -1, FINE, -1, 0, 0, 0];
  ink.forEach((on, i) => {
    if (!on) return;
    const column = i % FINE, row = Math.floor(i / FINE);
    [low, high, first, last] = [Math.min(low, column), Math.max(high, column + 1), Math.min(first, row), Math.max(last, row + 1)];
    x += column + 0.5;
    y += row + 0.5;
    n++;
  });
  if (!n) return new Float64Array(SIDE * SIDE);
  const scale = 20 / Math.max(high - low, last - first);
  // Where the cell `from` goes, so that the mass lies right and no ink beyond the picture.
  const start = (mass, from, to) => clamp(Math.round(SIDE / 2 + 0.5 - scale * (mass - from)), 0, Math.floor(SIDE - scale * (to - from) + 1e-9));
  return covered(ink, scale, start(x / n, low, high) - scale * low, start(y / n, first, last) - scale * first);
}

/** The binary picture that the encoder is given: 1 where a grey level is above one half. */
export const seen = (ink, fit) => Float32Array.from(fit ? fitted(ink) : covered(ink, SIDE / FINE, 0, 0), (v) => (v > 0.5 + 1e-9 ? 1 : 0));

/** Each pixel of a picture as four cells. */
export const enlarged = (x) => Uint8Array.from({ length: FINE * FINE }, (_, i) => x[(i >> 1) % SIDE + SIDE * Math.floor(i / FINE / 2)]);

/** The paper as text for a link, six cells a letter; `inkOf` reads it, or gives null where it can't. */
export const textOf = (ink) => Array.from({ length: Math.ceil(ink.length / 6) }, (_, k) => LETTERS[[0, 1, 2, 3, 4, 5].reduce((bits, j) => 2 * bits + (ink[6 * k + j] ?? 0), 0)]).join("");
export function inkOf(text) {
  const codes = [...String(text)].map((letter) => LETTERS.indexOf(letter));
  if (codes.length !== Math.ceil(FINE * FINE / 6) || codes.includes(-1)) return null;
  return Uint8Array.from({ length: FINE * FINE }, (_, i) => codes[Math.floor(i / 6)] >> 5 - i % 6 & 1);
}

/** Two drawings that are no digits, in strokes over the paper's cells. */
const SHAPES = {
  "A window": [[[8, 8], [48, 8], [48, 48], [8, 48], [8, 8]], [[28, 8], [28, 48]], [[8, 28], [48, 28]]],
  "A house": [[[12, 48], [12, 26], [28, 8], [44, 26], [44, 48], [12, 48]], [[24, 48], [24, 36], [32, 36], [32, 48]]],
};

/** The paper with the shape called `name`. */
export function inkOfShape(name) {
  const ink = new Uint8Array(FINE * FINE);
  for (const line of SHAPES[name]) for (let i = 1; i < line.length; i++) stroke(ink, line[i - 1], line[i]);
  return ink;
}

export { FINE, PEN, SHAPES, SIDE };
