// Between two draws of a generator with many latents: straight, round, and the mix of the pixels; how long z is on the way.
import { randomFrom } from "../maths.js";
import { tile } from "../plane.js";
import { between, button, choice, clamp, draggable, el, font, number, oneOf, pictureOf, plot, question, reader, slider, status, surface } from "../ui.js";

const COUNT = 10, STEPS = 8, SHAPE = [28, 28];
const BOX = [46, 26, 300, 190], ROW = { width: 730, tile: 76 };
const PATHS = { straight: "straight line in z", round: "round, from length to length", pixels: "pixels mixed" };

/** (1 − t) a + t b, number by number. */
export const straight = (a, b, t) => Array.from(a, (v, i) => (1 - t) * v + t * b[i]);

export const norm = (v) => Math.hypot(...v);

/** From a to b by a turn about the origin in the plane that holds both: angle and length change steadily. Along one line: straight. */
export function round(a, b, t) {
  const [r, s] = [norm(a), norm(b)], cosine = a.reduce((sum, v, i) => sum + v * b[i], 0) / (r * s), angle = Math.acos(clamp(cosine, -1, 1));
  if (!(Math.sin(angle) > 1e-6)) return straight(a, b, t);
  const [from, to] = [Math.sin((1 - t) * angle) / Math.sin(angle) / r, Math.sin(t * angle) / Math.sin(angle) / s], length = (1 - t) * r + t * s;
  return Array.from(a, (v, i) => length * (from * v + to * b[i]));
}

/** `count` draws from N(0, I) of `dims` latents. */
export function draws(seed, count, dims) {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => Array.from({ length: dims }, random.normal));
}

export function generatorPaths(host) {
  const { payload } = host, { dims, typical } = payload;
  const whole = (low, high) => (v) => Number.isInteger(v) && v >= low && v <= high;
  const get = reader(host, { seed: payload.seed, a: payload.ends[0], b: payload.ends[1], t: 0.5, path: "straight" }, { seed: whole(0, 9999), a: whole(0, COUNT - 1), b: whole(0, COUNT - 1), t: between(0, 1), path: oneOf(PATHS) });
  let made = null, decode = null, films = null;

  const axes = plot(BOX, [0, 1], [0, 6]);
  const graph = surface(host, { width: 360, height: 262, label: "", draw: drawLengths });
  const big = surface(host, { width: 224, height: 224, label: "", draw: drawPicture, className: "vw-decoded" });
  const rows = Object.fromEntries(Object.keys(PATHS).map((way) => [way, surface(host, { width: ROW.width, height: ROW.tile, label: "", draw: (ctx, on) => drawRow(ctx, way, on) })]));
  const strips = { a: el("div", { class: "vw-strip", role: "group", "aria-label": "From" }), b: el("div", { class: "vw-strip", role: "group", "aria-label": "To" }) };
  const numbers = el("dl", { class: "vw-numbers" }), line = status(host);
  const time = slider({ label: "t, from A to B", min: 0, max: 1, step: 0.01, value: get("t"), input: (t) => { host.save({ t }); moved(); } });
  const ways = choice({ label: "Follow", options: PATHS, value: get("path"), change: (path) => { host.save({ path }); moved(); } });
  const again = button("Ten other draws", () => { host.save({ seed: (get("seed") + 1) % 10000 }); update(); });

  for (const [path, row] of Object.entries(rows)) {
    row.canvas.style.touchAction = "pan-y"; // a finger that moves up or down still scrolls the page
    draggable(row, (x, y, phase) => {
      if (phase === "between") return;
      const t = clamp(Math.round(100 * (x - ROW.tile / 2) / (ROW.width - ROW.tile)) / 100, 0, 1);
      Object.assign(host.state, { t, path });
      if (phase === "up") host.save({});
      moved();
    });
  }

  const point = (way, t) => ({ straight, round })[way](made[get("a")], made[get("b")], t);
  const pictureAt = (way, t) => (way === "pixels" ? straight(decode(made[get("a")]).mean, decode(made[get("b")]).mean, t) : decode(point(way, t)).mean);

  function update() {
    made = draws(get("seed"), COUNT, dims);
    if (!decode) return;
    for (const [end, strip] of Object.entries(strips)) {
      strip.replaceChildren(...made.map((z, i) => tile(host, { values: decode(z).mean, shape: SHAPE, label: `draw ${i + 1}`, press: () => { host.save({ [end]: i }); ended(); } })));
    }
    ended();
  }

  /** When an end has moved. */
  function ended() {
    for (const [end, strip] of Object.entries(strips)) [...strip.children].forEach((one, i) => one.set(i === get(end)));
    films = Object.fromEntries(Object.keys(PATHS).map((way) => [way, Array.from({ length: STEPS + 1 }, (_, k) => ({ values: pictureAt(way, k / STEPS) }))]));
    moved();
  }

  /** When only t or the path has moved. */
  function moved() {
    if (!decode) return;
    const [t, path] = [get("t"), get("path")], lengths = { straight: norm(point("straight", t)), round: norm(point("round", t)) };
    time.set(t);
    ways.set(path);
    numbers.replaceChildren(...Object.entries({ "|z| straight": lengths.straight, "|z| round": lengths.round, "|z| of most draws": null }).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value === null ? `${number(typical[0], 1)} to ${number(typical[1], 1)}` : number(value))]));
    line.say(`${Math.round(100 * t)} % of the way from draw ${get("a") + 1} to draw ${get("b") + 1}, ${PATHS[path]}${path === "pixels" ? "" : `, length of z ${number(lengths[path], 1)}`}.`);
    graph.label(`Length of z on the way: straight ${number(norm(point("straight", 0.5)), 1)} halfway, round ${number(norm(point("round", 0.5)), 1)}; 95 of a hundred draws lie between ${number(typical[0], 1)} and ${number(typical[1], 1)}.`);
    big.label(`Picture at ${Math.round(100 * t)} % of the way, ${PATHS[path]}`);
    for (const [way, row] of Object.entries(rows)) row.label(`Nine pictures from A to B, ${PATHS[way]}`);
    for (const on of [graph, big, ...Object.values(rows)]) on.redraw();
  }

  function drawLengths(ctx, on) {
    if (!decode) return;
    const colors = host.colors(), { px } = on;
    ctx.globalAlpha = 0.16;
    ctx.fillStyle = colors.blue;
    ctx.fillRect(BOX[0], axes.y(typical[1]), BOX[2], axes.y(typical[0]) - axes.y(typical[1]));
    ctx.globalAlpha = 1;
    axes.axes(ctx, colors, { xLabel: "t", yLabel: "length of z", px });
    for (const [way, dash] of [["straight", []], ["round", [7, 5]]]) {
      axes.line(ctx, Array.from({ length: 41 }, (_, k) => [k / 40, norm(point(way, k / 40))]), { color: colors.vermillion, width: (way === get("path") ? 3 : 1.5) * px, dash });
    }
    if (get("path") === "pixels") return;
    ctx.beginPath();
    ctx.arc(axes.x(get("t")), axes.y(norm(point(get("path"), get("t")))), 5 * px, 0, 2 * Math.PI);
    ctx.fillStyle = colors.vermillion;
    ctx.fill();
  }

  function drawPicture(ctx) {
    if (!decode) return;
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(pictureOf(pictureAt(get("path"), get("t")), SHAPE[1], SHAPE[0], host.colors()), 0, 0, 224, 224);
  }

  function drawRow(ctx, way, on) {
    if (!films) return;
    const colors = host.colors(), gap = (ROW.width - ROW.tile) / STEPS;
    films[way].forEach((one, k) => {
      if (one.theme !== colors.ink) Object.assign(one, { theme: colors.ink, picture: pictureOf(one.values, SHAPE[1], SHAPE[0], colors) });
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(one.picture, k * gap, 0, ROW.tile, ROW.tile);
      if (way !== get("path") || k !== Math.round(STEPS * get("t"))) return;
      ctx.strokeStyle = colors.vermillion;
      ctx.lineWidth = 2.5 * on.px;
      ctx.strokeRect(k * gap + 1.5, 1.5, ROW.tile - 3, ROW.tile - 3);
    });
  }

  host.network("generator").then((run) => { decode = run; update(); }, (error) => host.lost(error));
  update();
  const words = (text) => el("p", { class: "vw-hint" }, text), caption = (text) => el("p", { class: "vw-hint vw-caption" }, text);
  const beside = (text, strip) => el("div", { class: "vw-row" }, words(text), strip);
  return {
    content: [
      question(host, payload.question),
      el("div", { class: "vw-secret" },
        beside("From A", strips.a), beside("To B", strips.b),
        el("div", { class: "vw-controls" }, again),
        el("div", { class: "vw-stage vw-two" }, el("div", { class: "vw-column" }, graph.canvas), el("div", { class: "vw-column" }, big.canvas, numbers)),
        words("Solid: the straight line. Dashed: the turn about the origin. Shaded: where 95 of a hundred draws lie."),
        el("div", { class: "vw-controls" }, time, ways),
        ...Object.entries(rows).flatMap(([way, row]) => [caption(PATHS[way]), row.canvas])),
      line,
    ],
    reset() { update(); },
  };
}
