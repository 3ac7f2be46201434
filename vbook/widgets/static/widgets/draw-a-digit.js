// Draw a digit: the encoder's posterior, pictures decoded from it, and the two terms of the ELBO.
import { enlarged, FINE, inkOf, inkOfShape, PEN, seen, SHAPES, SIDE, stroke, textOf } from "../ink.js";
import { named, nearest, scatter, tile, unpacked } from "../plane.js";
import { randomFrom } from "../maths.js";
import { arrows, button, choice, clamp, draggable, el, font, inSlices, number, pictureOf, plot, question, reader, status, surface, ticks, toggle } from "../ui.js";

const BOARD = 360, BOX = [46, 26, 352, 332], REACH = 4, CELLS = 27, DRAWS = 64, SHOWN = 6, COMPARED = 16;
const LEGENDS = {
  plane: "The two small ellipses where the lines cross are q(z|x) at one and two standard deviations.",
  near: "Ellipses: q(z|x) at one and two standard deviations. Dots: the six draws. Shaded: p(x, z), which the true posterior is proportional to, as a share of its highest value in view.",
};

export function drawADigit(host) {
  const { payload } = host, samples = payload.pictures.map((one) => ({ ...one, x: Float32Array.from(unpacked(one.bits, SIDE * SIDE)) }));
  const whole = (value) => Number.isSafeInteger(value) && value >= 0, bit = (value) => value === 0 || value === 1;
  const get = reader(host, { fit: 0, seed: 0, view: "plane" }, { fit: bit, seed: whole, view: (name) => name === "plane" || name === "near", ink: (text) => inkOf(text) !== null });
  const near = () => get("view") === "near";
  let ink, x, q = null, found = null, made = [], truth = null, references = null, nets = null;
  let tool = "pen", pen = [FINE / 2, FINE / 2], down = false, last = null, stop = null, spoken = "";

  const board = surface(host, { width: BOARD, height: BOARD, interactive: true, draw: drawBoard, className: "vw-framed", label: "Paper to draw on. Arrow keys move the pen by a pixel, with Shift by five; Space puts it down or lifts it." });
  const plane = surface(host, { width: 420, height: 408, draw: drawPlane, label: "The latent plane" });
  const strip = surface(host, { width: 730, height: 126, draw: drawStrip, label: "" });
  const bars = surface(host, { width: 730, height: 224, draw: drawBars, label: "" });
  const numbers = el("dl", { class: "vw-numbers" }), legend = el("p", { class: "vw-hint vw-caption" }), line = status(host);
  const fit = toggle({ label: "Scale and centre as MNIST’s images were", value: Boolean(get("fit")), change: (on) => { host.save({ fit: on ? 1 : 0 }); update(); } });
  const tools = choice({ label: "Tool", options: { pen: "pen", rubber: "rubber" }, value: tool, change: (name) => { tool = name; } });
  const views = choice({ label: "The plane shows", options: { plane: "encoded test images", near: "the posterior, near by" }, value: get("view"), change: (view) => { host.save({ view }); update(); } });
  const load = (cells, fit) => { down = false; host.save({ ink: textOf(cells), fit }); update(); };
  const shapes = [
    ...payload.offered.map((i) => ({ values: samples[i].x, cells: enlarged(samples[i].x), label: `Test image of ${named(samples[i].label)}` })),
    ...Object.keys(SHAPES).map((label) => ({ values: seen(inkOfShape(label), 1), cells: inkOfShape(label), label, fit: 1 })),
  ];
  const tiles = shapes.map(({ values, cells, label, fit = 0 }) => Object.assign(tile(host, { values, shape: [SIDE, SIDE], label, press: () => load(cells, fit) }), { text: textOf(cells) }));

  draggable(board, (x, y, phase) => {
    const at = [x, y].map((v) => clamp(v / BOARD * FINE, 0, FINE));
    if (phase === "down") last = at;
    stroke(ink, last, at, tool === "pen" ? 1 : 0);
    last = pen = at;
    spoken = "";
    if (phase === "up") host.save({ ink: textOf(ink) });
    if (phase !== "between") changed();
  });
  arrows(board, (dx, dy) => {
    const to = [clamp(pen[0] + 2 * dx, 1, FINE - 1), clamp(pen[1] - 2 * dy, 1, FINE - 1)];
    if (down) write(pen, to);
    pen = to;
    said();
  });
  board.canvas.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    down = !down;
    if (down) write(pen, pen);
    said();
  });
  for (const name of ["focus", "blur"]) board.canvas.addEventListener(name, board.redraw);

  function write(from, to) {
    stroke(ink, from, to, tool === "pen" ? 1 : 0);
    host.save({ ink: textOf(ink) });
  }
  function said() {
    spoken = `${tool === "pen" ? "Pen" : "Rubber"} ${down ? "down" : "up"} in column ${Math.ceil(pen[0] / 2)}, row ${Math.ceil(pen[1] / 2)}. `;
    changed();
  }

  function reset() {
    tools.set(tool = "pen");
    [pen, down] = [[FINE / 2, FINE / 2], false];
    update();
  }

  function update() {
    ink = inkOf(host.state.ink) ?? enlarged(samples[payload.offered[payload.first]].x);
    fit.set(Boolean(get("fit")));
    views.set(get("view"));
    legend.textContent = LEGENDS[near() ? "near" : "plane"];
    spoken = "";
    changed();
  }

  /** The encoder's answer at once; draws from it in slices. */
  function changed() {
    const text = textOf(ink);
    x = seen(ink, get("fit"));
    tiles.forEach((one) => one.set(one.text === text));
    if (nets) {
      q = nets.encode(x);
      truth = null;
      const random = randomFrom(1000 + get("seed")), fresh = [];
      stop?.();
      stop = inSlices(DRAWS, (k) => {
        const z = drawn(q, [random.normal(), random.normal()]), mean = nets.decode(z).mean;
        fresh.push({ z, mean, fit: logLikelihood(x, mean) });
        if (fresh.length === SHOWN || fresh.length === DRAWS) tell(fresh);
      }, () => { if (near()) posterior(); else compare(); }, host.signal);
    }
    for (const on of [board, plane, strip]) on.redraw();
  }

  function tell(fresh) {
    made = fresh.slice(0, SHOWN);
    const { mean, error } = average(fresh.map((one) => one.fit)), kl = divergence(q), of = nearest(payload, q.mean);
    found = { fit: mean, kl, elbo: mean - kl };
    const pair = (values, digits) => [...values].map((v) => number(v, digits)).join(", ");
    const rows = { "μ": pair(q.mean, 2), "σ": pair(q.sd, 3), "E log p(x|z)": `${number(mean, 1)} ± ${number(error, 1)}`, "KL(q(z|x) ‖ p(z))": number(kl, 2), "ELBO, in nats": number(found.elbo, 1) };
    numbers.replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    line.say(`${spoken}The posterior lies at (${pair(q.mean, 1)}), widths ${pair(q.sd, 2)}, nearest to a test image of ${named(of)}. ELBO ${number(mean, 0)} − ${number(kl, 0)} = ${number(found.elbo, 0)} nats.`);
    strip.label(`The binary picture that the encoder is given, and ${SHOWN} decoded draws from its posterior, with log p(x|z) ${made.map((one) => number(one.fit, 0)).join(", ")}`);
    plane.label(`The latent plane; the posterior is centred at ${pair(q.mean, 2)}, standard deviations ${pair(q.sd, 3)}`);
    bars.label(`Reconstruction term ${number(mean, 0)} and KL ${number(kl, 1)} nats${references ? `; ELBO of the test images: ${samples.map((one, i) => `${one.label} at ${number(references[i], 0)}`).join(", ")}` : ""}`);
    for (const on of [plane, strip, bars]) on.redraw();
  }

  /** The test images' bounds, once. */
  function compare() {
    if (references) return;
    const random = randomFrom(1), values = samples.map(() => []), codes = [], eps = Array.from({ length: COMPARED }, () => [random.normal(), random.normal()]);
    stop = inSlices(samples.length * eps.length, (k) => {
      const i = Math.floor(k / eps.length);
      codes[i] ??= nets.encode(samples[i].x);
      values[i].push(logLikelihood(samples[i].x, nets.decode(drawn(codes[i], eps[k % eps.length])).mean));
    }, () => { references = values.map((each, i) => average(each).mean - divergence(codes[i])); bars.redraw(); }, host.signal);
  }

  const window_ = () => { const reach = near() ? 6 * Math.max(...q.sd) : REACH, [a, b] = near() ? q.mean : [0, 0]; return [[a - reach, a + reach], [b - reach, b + reach]]; };

  /** p(x, z) on a grid around the encoder's answer, as a share of its highest value there. */
  function posterior() {
    const [across, up] = window_(), logs = new Float64Array(CELLS * CELLS);
    const at = ([low, high], k) => low + (k + 0.5) / CELLS * (high - low);
    stop = inSlices(logs.length, (i) => {
      const z = [at(across, i % CELLS), at(up, CELLS - 1 - Math.floor(i / CELLS))];
      logs[i] = logLikelihood(x, nets.decode(z).mean) - 0.5 * (z[0] * z[0] + z[1] * z[1]);
    }, () => {
      const most = Math.max(...logs);
      truth = logs.map((v) => Math.exp(v - most));
      plane.redraw();
      compare();
    }, host.signal);
  }

  function drawBoard(ctx) {
    const colors = host.colors(), size = BOARD / FINE;
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(pictureOf(ink, FINE, FINE, colors), 0, 0, BOARD, BOARD);
    if (document.activeElement !== board.canvas) return;
    ctx.beginPath();
    ctx.arc(pen[0] * size, pen[1] * size, PEN * size, 0, 2 * Math.PI);
    ctx.strokeStyle = colors.blue;
    ctx.lineWidth = down ? 4 : 2;
    ctx.stroke();
  }

  function drawPlane(ctx) {
    const colors = host.colors(), px = plane.px;
    if (!q) return;
    const a = plot(BOX, ...window_());
    if (!near()) scatter(ctx, colors, a, BOX, payload, { px });
    else if (truth) {
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(pictureOf(truth, CELLS, CELLS, { paper: colors.paper, ink: colors.vermillion }), ...BOX);
    }
    a.axes(ctx, colors, { xLabel: "z₁", yLabel: "z₂", xTicks: 8, yTicks: 8, px });
    const [m, n] = q.mean, turn = (k) => Array.from({ length: 65 }, (_, i) => [m + k * q.sd[0] * Math.cos(i * Math.PI / 32), n + k * q.sd[1] * Math.sin(i * Math.PI / 32)]);
    if (!near()) for (const ends of [[[-REACH, n], [REACH, n]], [[m, -REACH], [m, REACH]]]) a.line(ctx, ends, { color: colors.blue, width: 0.75 * px });
    for (const k of [1, 2]) a.line(ctx, turn(k), { color: colors.blue, width: 2 * px });
    if (!near()) return;
    ctx.fillStyle = colors.purple;
    for (const { z } of made) { ctx.beginPath(); ctx.arc(a.x(z[0]), a.y(z[1]), 4 * px, 0, 2 * Math.PI); ctx.fill(); }
  }

  function drawStrip(ctx) {
    const colors = host.colors(), side = 96;
    ctx.font = font(11.5, strip.px);
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.imageSmoothingEnabled = false;
    ctx.fillStyle = colors.muted;
    const put = (values, left, text) => { ctx.drawImage(pictureOf(values, SIDE, SIDE, colors), left, 0, side, side); ctx.fillText(text, left + side / 2, 125); };
    put(x, 0, "x");
    made.forEach(({ mean, fit }, k) => put(mean, 124 + k * 102, number(fit, 0)));
    ctx.fillStyle = colors.line;
    ctx.fillRect(109, 0, 1, 126);
  }

  function drawBars(ctx) {
    if (!found) return;
    const colors = host.colors(), px = bars.px, all = [found.elbo, ...references ?? []], marks = ticks(Math.min(-350, ...all), 0, 7 / px);
    const low = Math.min(-350, ...all) * 1.02, at = (v) => 10 + 700 * (1 - v / low);
    const top = 8 + 15 * px, below = top + 36, axis = 192; // of the bars, of the second line of words, of the numbers
    ctx.font = font(12, px);
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillStyle = colors.ink;
    ctx.fillText("Your picture: reconstruction term, and −KL (tall)", 10, 4);
    ctx.fillText("The ELBO of twenty test images", 10, below);
    ctx.fillStyle = colors.vermillion;
    ctx.fillRect(at(found.fit), top + 6, at(0) - at(found.fit), 18);
    ctx.fillStyle = colors.blue;
    ctx.fillRect(at(found.elbo), top, at(found.fit) - at(found.elbo), 30);
    ctx.fillStyle = colors.muted;
    ctx.textAlign = "center";
    for (const v of marks.at) ctx.fillText(number(v, marks.digits), at(v), axis + 6);
    ctx.fillRect(at(low), axis, 700, 1);
    ctx.fillStyle = colors.ink;
    const ends = Array(Math.floor((axis - 2 - below - 14 * px) / (13 * px))).fill(-Infinity); // of rows of labels, the lowest first
    for (const [v, label] of (references ?? []).map((v, i) => [v, samples[i].label]).sort((a, b) => a[0] - b[0])) {
      const free = ends.findIndex((end) => at(v) - end >= 9 * px), row = free < 0 ? ends.indexOf(Math.min(...ends)) : free;
      ctx.fillText(label, at(v), axis - 2 - 13 * px * (row + 1));
      ends[row] = at(v);
    }
  }

  Promise.all([host.network("digit-encoder"), host.network("digits")]).then(([encode, decode]) => { nets = { encode, decode }; changed(); }, host.fail);
  update();
  const words = (text) => el("p", { class: "vw-hint vw-caption" }, text);
  return {
    content: [
      question(host, payload.question),
      el("div", { class: "vw-secret" },
        words("Start from a test image, a window or a house; or clear the paper and draw:"),
        el("div", { class: "vw-strip" }, ...tiles),
        el("div", { class: "vw-stage vw-even" },
          el("div", { class: "vw-column" }, board.canvas, el("div", { class: "vw-controls" }, tools, button("Clear", () => load(new Uint8Array(FINE * FINE), 1))), fit),
          el("div", { class: "vw-column" }, plane.canvas, views, numbers)),
        legend,
        words("What the encoder is given, and six draws from its posterior, decoded; below each, log p(x|z) in nats:"),
        strip.canvas,
        el("div", { class: "vw-controls" }, button("Draw six others", () => { host.save({ seed: get("seed") + 1 }); changed(); })),
        bars.canvas),
      line,
    ],
    reset,
  };
}

/** log p(x|z) in nats of binary x under probabilities p, kept off 0 and 1 by what single precision resolves. */
export function logLikelihood(x, p) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.log(clamp(x[i] ? p[i] : 1 - p[i], 6e-8, 1));
  return sum;
}

/** KL of N(mean, sd²) from N(0, I), in nats. */
export const divergence = ({ mean, sd }) => mean.reduce((sum, m, i) => sum + 0.5 * (m * m + sd[i] * sd[i] - 1) - Math.log(sd[i]), 0);

export const drawn = ({ mean, sd }, eps) => Array.from(mean, (m, i) => m + sd[i] * eps[i]);

/** Mean and standard error of numbers. */
export function average(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return { mean, error: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1) / values.length) };
}
