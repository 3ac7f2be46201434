// What widgets on the latent plane share: encoded test images as marks, packed pictures, small pictures to press.
import { el, font, pictureOf } from "./ui.js";

const GLYPHS = ["blue", "vermillion", "green", "purple", "ink"];

const layers = new WeakMap(); // of each set of points: how they were drawn last

/** Encoded images, {z1, z2, label_of?}, in the box of `axes`: numerals where the class is known, else dots. `to` maps z onto the axes. */
export function scatter(ctx, colors, axes, box, set, { px = 1, to = (z) => z, size = 10.5 } = {}) {
  const { width, height } = ctx.canvas, key = [width, height, px, axes.x(to(0)), axes.x(to(1)), axes.y(to(1)), colors.ink].join();
  if (layers.get(set)?.key !== key) {
    const canvas = new OffscreenCanvas(width, height), on = canvas.getContext("2d");
    on.setTransform(ctx.getTransform());
    marks(on, colors, axes, box, set, px, to, size);
    layers.set(set, { key, canvas });
  }
  ctx.save();
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.drawImage(layers.get(set).canvas, 0, 0);
  ctx.restore();
}

function marks(ctx, colors, axes, box, set, px, to, size) {
  ctx.font = font(size, px);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  set.z1.forEach((z1, i) => {
    const x = axes.x(to(z1)), y = axes.y(to(set.z2[i])), digit = set.label_of?.[i];
    if (x < box[0] || x > box[0] + box[2] || y < box[1] || y > box[1] + box[3]) return;
    ctx.fillStyle = colors[digit === undefined ? "blue" : GLYPHS[digit % 5]];
    if (digit === undefined) { ctx.beginPath(); ctx.arc(x, y, 2.5, 0, 2 * Math.PI); ctx.fill(); } else ctx.fillText(digit, x, y);
  });
}

/** The class of the encoded image nearest to z, or null where classes are unknown. */
export function nearest(set, [z1, z2]) {
  if (!set?.label_of) return null;
  let best = 0, least = Infinity;
  set.z1.forEach((a, i) => { const d = (a - z1) ** 2 + (set.z2[i] - z2) ** 2; if (d < least) [best, least] = [i, d]; });
  return set.label_of[best];
}

/** A digit with its article. */
export const named = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;

/** The pixels, 0 or 1, of numbers that hold 16 each, the first pixel the highest bit. */
export function unpacked(numbers, size) {
  return Uint8Array.from({ length: size }, (_, i) => numbers[i >> 4] >> 15 - (i & 15) & 1);
}

/** A ring on a surface, readable on anything. */
export function ring(ctx, colors, x, y, { radius = 9, color = colors.vermillion, px = 1 } = {}) {
  for (const [style, thick] of [[colors.paper, 5], [color, 2.5]]) {
    ctx.beginPath();
    ctx.arc(x, y, radius * px, 0, 2 * Math.PI);
    ctx.strokeStyle = style;
    ctx.lineWidth = thick * px;
    ctx.stroke();
  }
}

/** A small picture to press; `.set(on)` marks it as chosen. */
export function tile(host, { values, shape: [h, w], ink = true, label, press, scale = 1.25 }) {
  const canvas = el("canvas", { width: w, height: h, "aria-hidden": "true", class: "vw-thumb" }), ctx = canvas.getContext("2d");
  canvas.style.width = `${scale * w}px`;
  const paint = () => ctx.drawImage(pictureOf(values, w, h, host.colors(), ink), 0, 0);
  host.onTheme(paint);
  paint();
  const made = el("button", { type: "button", class: "vw-tile", "aria-label": label, "aria-pressed": "false", onclick: press }, canvas);
  return Object.assign(made, { set(on) { made.setAttribute("aria-pressed", String(on)); } });
}
