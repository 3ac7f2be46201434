// The ELBO's gap in one dimension: move q, and ELBO + KL stays log p(x) (thesis 2.8, 2.11).
import { drawBell, draggableBell, peak } from "../bell.js";
import { normalLogDensity } from "../maths.js";
import { animation, between, button, choice, clamp, el, font, number, oneOf, plot, question, reader, reduced, slider, status, surface } from "../ui.js";

/** Decoders: the mean f(z) of p(x|z) and its slope. */
export const DECODERS = {
  line: { text: "a line, z", f: (z) => z, slope: () => 1 },
  parabola: { text: "a parabola, z²/2", f: (z) => 0.5 * z * z, slope: (z) => z },
  bend: { text: "a bend, tanh 2z", f: (z) => Math.tanh(2 * z), slope: (z) => 2 * (1 - Math.tanh(2 * z) ** 2) },
};

// A standard normal on a grid, its weights summing to one: for smooth integrands such a sum is exact to rounding.
const U = Float64Array.from({ length: 1201 }, (_, i) => (i - 600) * 0.015);
const W = (() => { const w = U.map((u) => Math.exp(-0.5 * u * u)), sum = w.reduce((a, b) => a + b); return w.map((v) => v / sum); })();

/** p(z) = N(0, 1), p(x|z) = N(x; f(z), s²), one x: log p(x, z) and log p(x), by quadrature over z. */
export function model(decoder, s, x) {
  const { f, slope } = DECODERS[decoder];
  const logJoint = (z) => normalLogDensity(z) + normalLogDensity(x, f(z), s);
  const by = 0.003;
  let sum = 0;
  for (let i = -3000; i <= 3000; i++) sum += Math.exp(logJoint(i * by));
  const logPx = Math.log(sum * by);
  return {
    f, s, x, logJoint, logPx,
    logPosterior: (z) => logJoint(z) - logPx,
    slopeOf: (z) => -z + (x - f(z)) * slope(z) / (s * s), // of log p(x, z) by z
  };
}

/** ELBO (2.10) and KL(q‖p(z|x)) (2.8) in nats of q = N(mean, sd²), each its own average over q. */
export function terms(of, { mean, sd }) {
  let elbo = 0, kl = 0;
  for (let i = 0; i < U.length; i++) {
    const z = mean + sd * U[i], logQ = normalLogDensity(U[i]) - Math.log(sd);
    elbo += W[i] * (of.logJoint(z) - logQ);
    kl += W[i] * (logQ - of.logPosterior(z));
  }
  return { elbo, kl: Math.max(0, kl) };
}

/** The ELBO's slopes by the mean and by log sd, through z = mean + sd u (2.23). */
export function slopes(of, { mean, sd }) {
  let byMean = 0, byLogSd = 1;
  for (let i = 0; i < U.length; i++) {
    const along = W[i] * of.slopeOf(mean + sd * U[i]);
    byMean += along;
    byLogSd += along * sd * U[i];
  }
  return [byMean, byLogSd];
}

const MEANS = [-2.6, 2.6], WIDTHS = [0.1, 2], NOISES = [0.2, 0.6], FAR = 0.035;

/** One step up the slope from `q`, no longer than FAR, halved until the ELBO rises; null at a top. `rate` is the step's factor to try first. */
export function climbOnce(of, q, rate) {
  const [a, b] = slopes(of, q), steep = Math.hypot(a, b), from = terms(of, q).elbo;
  if (steep < 1e-3) return null;
  for (let t = Math.min(rate, FAR / steep); t * steep > 1e-9; t /= 2) {
    const to = { mean: clamp(q.mean + t * a, ...MEANS), sd: clamp(q.sd * Math.exp(t * b), ...WIDTHS) };
    if (terms(of, to).elbo > from) return { q: to, rate: 1.5 * t };
  }
  return null;
}

const ZS = [-3.2, 3.2], ABOVE = [50, 30, 398, 84], BELOW = [50, 158, 398, 196], BAR = [44, 22, 74, 188], NATS = [-7, 0];

export function elboGap(host) {
  const { x, start } = host.payload;
  const fits = { decoder: oneOf(DECODERS), mean: between(...MEANS), sd: between(...WIDTHS), s: between(...NOISES) };
  const get = reader(host, start, fits);
  const q = () => ({ mean: get("mean"), sd: get("sd") });
  let of, now, key = "", rate = 1, steps = 0, due = 0;

  const density = () => {
    let most = peak(get("sd"));
    for (let z = -3; z <= 3; z += 0.02) most = Math.max(most, Math.exp(of.logPosterior(z)));
    return plot(BELOW, ZS, [0, 1.12 * most]);
  };
  const curves = surface(host, { width: 460, height: 410, interactive: true, label: "", draw: drawCurves });
  const bar = surface(host, { width: 280, height: 226, label: "", draw: drawBar });
  const numbers = el("dl", { class: "vw-numbers" }), line = status(host);
  const means = slider({ label: "mean of q", min: MEANS[0], max: MEANS[1], step: 0.01, value: get("mean"), input: (mean) => move({ mean }) });
  const widths = slider({ label: "standard deviation of q", min: WIDTHS[0], max: WIDTHS[1], step: 0.01, value: get("sd"), input: (sd) => move({ sd }) });
  const noise = slider({ label: "noise s of p(x|z)", min: NOISES[0], max: NOISES[1], step: 0.05, value: get("s"), input: (s) => change({ s }) });
  const kinds = choice({ label: "Decoder f(z)", options: Object.fromEntries(Object.entries(DECODERS).map(([name, one]) => [name, one.text])), value: get("decoder"), change: (decoder) => change({ decoder }) });
  const go = button("Climb the ELBO", () => { if (run.playing) settle(); else climb(); });
  const once = button("One step", () => { halt(); if (!step()) steps = -1; settle(); });
  draggableBell(curves, () => ({ ...q(), axes: density() }), (changes, settled) => move(changes, settled), 0.02);

  function move(changes, settled = true) {
    halt();
    steps = 0;
    set(changes);
    if (settled) host.save(q());
    update();
  }

  function set({ mean = get("mean"), sd = get("sd") }) {
    Object.assign(host.state, { mean: clamp(mean, ...MEANS), sd: clamp(sd, ...WIDTHS) });
  }

  function change(changes) {
    halt();
    steps = 0;
    host.save(changes);
    update();
  }

  const run = animation(host, (passed) => { // fifty steps a second, whatever the screen's pace
    for (due += 50 * passed; due >= 1; due--) if (!step()) { settle(); return; }
    update();
  });
  function halt() { run.stop(); go.textContent = "Climb the ELBO"; rate = 1; }
  function settle() { halt(); steps ||= -1; host.save(q()); update(); }

  function step() {
    const next = climbOnce(of, q(), rate);
    if (!next) return false;
    rate = next.rate;
    steps = Math.max(0, steps) + 1;
    set(next.q);
    return true;
  }

  function climb() {
    steps = 0;
    if (!reduced()) { go.textContent = "Stop"; run.play(); return; }
    while (steps < 2000 && step());
    settle();
  }

  function update() {
    const wanted = [get("decoder"), get("s")].join();
    if (wanted !== key) { key = wanted; of = model(get("decoder"), get("s"), x); }
    now = terms(of, q());
    means.set(get("mean"));
    widths.set(get("sd"));
    noise.set(get("s"));
    kinds.set(get("decoder"));
    const { elbo, kl, sum } = shown(now, of.logPx), at = `mean ${number(get("mean"))}, standard deviation ${number(get("sd"))}`;
    const rows = [["ELBO", elbo], ["+ KL(q ‖ p(z|x))", kl], ["= log p(x)", sum]];
    numbers.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, `${value} nats`)]));
    bar.label(`A bar from the ELBO, ${elbo} nats, and on top of it the KL divergence, ${kl} nats, up to log p(x), ${sum} nats.`);
    curves.label(`Posterior and q with ${at}. Left and right arrow keys move the mean, up and down the standard deviation; with Shift five times as far.`);
    const end = steps < 0 ? "No step raises the ELBO here. " : steps ? `After ${steps} step${steps === 1 ? "" : "s"}: ` : "";
    const sentence = `${end}q with ${at}. ${elbo} + ${kl} = ${sum} nats${now.kl < 5e-4 ? ": q is the posterior, the gap is closed" : ""}.`;
    line.say(run.playing ? "Climbing." : sentence);
    curves.redraw();
    bar.redraw();
  }

  function drawCurves(ctx) {
    if (!of) return;
    const colors = host.colors(), { px } = curves, upper = plot(ABOVE, ZS, [-1.2, 2.6]), lower = density(), f = [], posterior = [];
    for (let i = 0; i <= 500; i++) {
      const z = ZS[0] + i / 500 * (ZS[1] - ZS[0]);
      f.push([z, of.f(z)]);
      posterior.push([z, Math.exp(of.logPosterior(z))]);
    }
    ctx.fillStyle = colors.orange;
    ctx.globalAlpha = 0.22;
    ctx.fillRect(ABOVE[0], upper.y(x + of.s), ABOVE[2], upper.y(x - of.s) - upper.y(x + of.s));
    ctx.globalAlpha = 1;
    upper.line(ctx, [[ZS[0], x], [ZS[1], x]], { color: colors.ink, width: 1.2, dash: [5, 4] });
    upper.line(ctx, f, { color: colors.vermillion });
    upper.axes(ctx, colors, { yLabel: "decoder f(z), and the observed x", xTicks: 0, yTicks: 3, px });
    ctx.font = font(12.5, px);
    ctx.fillStyle = colors.ink;
    ctx.textBaseline = "bottom";
    ctx.textAlign = "center";
    ctx.fillText(`x = ${number(x, 0)} ± s`, upper.x(-0.4), upper.y(x + of.s) - 1);
    lower.line(ctx, posterior, { color: colors.vermillion, fill: colors.vermillion, dash: [7, 3] });
    lower.axes(ctx, colors, { xLabel: "z", yLabel: "density: p(z|x) dashed, q", xTicks: 6, yTicks: 4, px });
    drawBell(ctx, lower, q(), colors, { px, xs: ZS });
  }

  function drawBar(ctx) {
    if (!of) return;
    const colors = host.colors(), { px } = bar, axes = plot(BAR, [0, 1], NATS), [left, , wide] = BAR, floor = axes.y(NATS[0]);
    const top = axes.y(of.logPx), cut = axes.y(Math.max(now.elbo, NATS[0]));
    ctx.fillStyle = colors.orange;
    ctx.globalAlpha = 0.55;
    ctx.fillRect(left + 8, top, wide - 16, cut - top);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colors.blue;
    if (cut < floor) { // its lower end lies outside the axis: torn off
      ctx.beginPath();
      ctx.moveTo(left + 8, cut);
      ctx.lineTo(left + wide - 8, cut);
      for (let i = 0; i <= 8; i++) ctx.lineTo(left + wide - 8 - i / 8 * (wide - 16), Math.max(cut, floor - (i % 2 ? 6 : 0)));
      ctx.fill();
    }
    axes.axes(ctx, colors, { yLabel: "nats", xTicks: 0, yTicks: 7, px });
    ctx.fillStyle = colors.vermillion;
    ctx.fillRect(left, top - 1.5, 280 - left, 3);
    const { elbo, kl, sum } = shown(now, of.logPx), gap = 19 * px, words = left + wide + 4;
    const second = clamp((top + cut) / 2, top + 0.75 * gap, floor - 1.5 * gap), third = clamp(cut + 0.5 * gap, second + gap, floor - 0.5 * gap);
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    ctx.font = font(14, px);
    for (const [text, y, color] of [[`log p(x) = ${sum}`, top - 0.6 * gap, "vermillion"], [`KL = ${kl}`, second, "ink"], [`ELBO = ${elbo}`, third, "blue"]]) {
      ctx.fillStyle = colors[color];
      ctx.fillText(text, words, y);
    }
  }

  function reset() { halt(); steps = 0; update(); }
  reset();
  const ask = question(host, host.payload.question);
  const secret = el("div", { class: "vw-stage vw-two vw-secret" },
    el("div", { class: "vw-column" }, curves.canvas),
    el("div", { class: "vw-column" }, bar.canvas, numbers, el("div", { class: "vw-answers" }, go, once)));
  const row = (...parts) => el("div", { class: "vw-controls vw-secret" }, ...parts);
  return { content: [ask, secret, row(means, widths), row(kinds, noise), line], reset };
}

/** The three numbers as texts that add up as printed: the ELBO's last digit takes what rounding leaves. */
export function shown({ kl }, logPx) {
  const cents = (v) => Math.round(100 * v);
  return { elbo: number((cents(logPx) - cents(kl)) / 100), kl: number(cents(kl) / 100), sum: number(cents(logPx) / 100) };
}
