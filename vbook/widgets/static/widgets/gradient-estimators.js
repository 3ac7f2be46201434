// Three estimates of the slope of E_q[f(z)] by the mean of q, from the same draws (thesis 2.23, 2.72, 2.73).
import { drawBell, draggableBell, peak } from "../bell.js";
import { normalCdf, normalLogDensity, randomFrom } from "../maths.js";
import { animation, between, button, choice, clamp, el, font, number, oneOf, plot, question, reader, reduced, slider, status, surface } from "../ui.js";

const bell = (a) => Math.exp(normalLogDensity(a));

/**
 * What is averaged: f, its slope in z, and with ε ~ N(0, 1), z = mean + sd ε, the averages `f` E[f], `fEE` E[f ε²], `ffEE` E[f² ε²],
 * `slope` of E[f] by the mean, and `pathMean`, `pathSquare`, the first two moments of f′(z), all in closed form.
 */
export const FUNCTIONS = {
  bowl: {
    text: "a bowl, z²", f: (z) => z * z, slope: (z) => 2 * z,
    averages(m, s) { // f = a + bε + cε²
      const a = m * m, b = 2 * m * s, c = s * s;
      return { f: a + c, fEE: a + 3 * c, ffEE: a * a + 3 * (b * b + 2 * a * c) + 15 * c * c, slope: 2 * m, pathMean: 2 * m, pathSquare: 4 * (m * m + s * s) };
    },
  },
  ripples: {
    text: "ripples, cos 3z", f: (z) => Math.cos(3 * z), slope: (z) => -3 * Math.sin(3 * z),
    averages(m, s) { // E[cos ωz] = exp(−ω²s²/2) cos ωm, and cos² ωz = (1 + cos 2ωz)/2
      const w = 9 * s * s, first = Math.exp(-0.5 * w) * Math.cos(3 * m), second = Math.exp(-2 * w) * Math.cos(6 * m);
      const slope = -3 * Math.exp(-0.5 * w) * Math.sin(3 * m);
      return { f: first, fEE: (1 - w) * first, ffEE: 0.5 + 0.5 * (1 - 4 * w) * second, slope, pathMean: slope, pathSquare: 4.5 * (1 - second) };
    },
  },
  step: {
    text: "a step, 1 where z > 0", f: (z) => (z > 0 ? 1 : 0), slope: () => 0,
    averages(m, s) { // f′ = 0 at every draw: reparameterisation does not apply
      const a = m / s, above = normalCdf(a) - a * bell(a);
      return { f: normalCdf(a), fEE: above, ffEE: above, slope: bell(a) / s, pathMean: 0, pathSquare: 0 };
    },
  },
};

/** For f + lift: the exact slope, what reparameterisation converges to, and the variances of one draw of each estimator. */
export function exact(name, { mean, sd }, lift = 0) {
  const { f, fEE, ffEE, slope, pathMean, pathSquare } = FUNCTIONS[name].averages(mean, sd), v = sd * sd;
  const about = (b) => (ffEE - 2 * b * fEE + b * b) / v - slope * slope; // of (f − b) ε/sd
  return { slope, pathMean, variances: [Math.max(0, pathSquare - pathMean ** 2), about(-lift), about(f)] };
}

/** Estimates from the first draws of `noise`; `.to(n)` takes more of them in, `.now()` gives {n, mean, variance (of one draw), error}. */
export function estimates(name, { mean, sd }, lift, noise) {
  const { f, slope } = FUNCTIONS[name], sums = new Float64Array(8);
  let n = 0;
  const made = {
    get n() { return n; },
    to(count) {
      for (; n < count; n++) {
        const z = mean + sd * noise[n], v = f(z) + lift, s = noise[n] / sd, d = slope(z), vs = v * s; // s: the score, by the mean
        sums[0] += d; sums[1] += d * d; sums[2] += v; sums[3] += s; sums[4] += s * s; sums[5] += vs; sums[6] += vs * s; sums[7] += vs * vs;
      }
      return made;
    },
    now() {
      const [d, dd, v, s, ss, vs, vss, vsvs] = sums.map((sum) => sum / n), share = n / (n - 1);
      const squares = vsvs - 2 * v * vss + v * v * ss; // of (f − mean of f) · score
      const means = [d, vs, share * (vs - v * s)]; // the last: the mean of the others as baseline, a sample covariance
      const variance = [dd - d * d, vsvs - vs * vs, squares - (vs - v * s) ** 2].map((value) => share * Math.max(0, value));
      return { n, mean: means, variance, error: variance.map((value) => Math.sqrt(value / n)) };
    },
  };
  return made;
}

const NAMES = ["reparameterised", "score function", "with baseline"], COLORS = ["green", "purple", "blue"], DASHES = [[], [7, 4], [2, 3]];
const MOST = 10_000, MEANS = [-2, 2], WIDTHS = [0.3, 1.5], LIFTS = [0, 10], SPEEDS = [10, 100, 1000];
const ZS = [-4, 4], ABOVE = [50, 30, 398, 150], PATH = [50, 30, 398, 170], DOTS = [10, 10, 256, 186];
const many = (n) => n.toLocaleString("en");
const brief = (v) => (v >= 1000 ? many(Math.round(v)) : number(v, v >= 100 ? 0 : v >= 10 ? 1 : 2));

export function gradientEstimators(host) {
  const { start } = host.payload;
  const whole = (value) => Number.isInteger(value) && value >= 0 && value <= MOST;
  const fits = { f: oneOf(FUNCTIONS), mean: between(...MEANS), sd: between(...WIDTHS), lift: between(...LIFTS), n: whole, seed: whole, speed: (v) => SPEEDS.includes(v) };
  const get = reader(host, start, fits);
  const q = () => ({ mean: get("mean"), sd: get("sd") });
  let noise = null, seed = -1, key = "", running, truth, history = [], due = 0;

  const curves = surface(host, { width: 460, height: 236, interactive: true, label: "", draw: drawCurves });
  const path = surface(host, { width: 460, height: 256, label: "", draw: drawPath });
  const dots = surface(host, { width: 280, height: 256, label: "", draw: drawDots });
  const numbers = el("dl", { class: "vw-numbers" }), line = status(host);
  const kinds = choice({ label: "f(z)", options: Object.fromEntries(Object.entries(FUNCTIONS).map(([name, one]) => [name, one.text])), value: get("f"), change: (f) => change({ f }) });
  const means = slider({ label: "mean μ of q", min: MEANS[0], max: MEANS[1], step: 0.01, value: get("mean"), input: (mean) => change({ mean }) });
  const widths = slider({ label: "standard deviation σ of q", min: WIDTHS[0], max: WIDTHS[1], step: 0.01, value: get("sd"), input: (sd) => change({ sd }) });
  const lifts = slider({ label: "a constant added to f", min: LIFTS[0], max: LIFTS[1], step: 0.5, value: get("lift"), format: (v) => number(v, 1), input: (lift) => change({ lift }) });
  const speeds = choice({ label: "Draws per second", options: Object.fromEntries(SPEEDS.map((v) => [v, many(v)])), value: get("speed"), change: (v) => change({ speed: Number(v) }) });
  const go = button("", () => { if (run.playing) pause(); else play(); });
  const once = button("One draw", () => { pause(); more(1); });
  const anew = button("New draws", () => { run.stop(); change({ n: 0, seed: (get("seed") + 1) % MOST }); });
  draggableBell(curves, () => ({ ...q(), axes: density() }), (wish, settled) => {
    const { mean = get("mean"), sd = get("sd") } = wish;
    change({ mean: clamp(mean, ...MEANS), sd: clamp(sd, ...WIDTHS) }, settled);
  }, 0.02);

  function change(changes, settled = true) {
    if (settled) host.save(changes); else Object.assign(host.state, changes);
    update();
  }

  const run = animation(host, (passed) => {
    due += passed * get("speed");
    const count = Math.floor(due);
    due -= count;
    if (count) more(count, false);
    if (get("n") >= MOST) pause();
  });
  function more(count, settled = true) { change({ n: Math.min(MOST, get("n") + count) }, settled); }
  function play() {
    if (reduced()) { more(1000); return; }
    due = 0;
    run.play();
    update();
  }
  function pause() { run.stop(); host.save({ n: get("n") }); update(); }

  /** The draws stay when q or f changes: the same noise, moved. */
  function take() {
    if (seed !== get("seed")) {
      seed = get("seed");
      const random = randomFrom(seed);
      noise = Float64Array.from({ length: MOST }, () => random.normal());
      key = "";
    }
    const wanted = [get("f"), get("mean"), get("sd"), get("lift"), seed].join();
    if (wanted !== key || running.n > get("n")) {
      key = wanted;
      history = [];
      running = estimates(get("f"), q(), get("lift"), noise);
      truth = exact(get("f"), q(), get("lift"));
    }
    for (let n = Math.max(2, Math.ceil((history.at(-1)?.n ?? 1.9) * 1.04)); n <= get("n"); n = Math.ceil(n * 1.04)) history.push(running.to(n).now());
    running.to(get("n"));
  }

  function update() {
    take();
    for (const [control, name] of [[kinds, "f"], [means, "mean"], [widths, "sd"], [lifts, "lift"], [speeds, "speed"]]) control.set(get(name));
    go.textContent = reduced() ? "1,000 draws" : run.playing ? "Pause" : "Play";
    go.disabled = once.disabled = get("n") >= MOST;
    const n = get("n"), now = n > 1 ? running.now() : null, [one, score, baseline] = truth.variances;
    const rows = [["draws", many(n)], ["exact slope", number(truth.slope)], ...NAMES.map((name, i) => [name, now ? `${number(now.mean[i])} ± ${number(now.error[i])}` : "–"])];
    numbers.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const factor = get("f") === "step" ? "A step has slope 0 at every draw: reparameterised, the estimate is 0, without any spread, and wrong. The score function is right on average."
      : `To be as quiet, the score function needs ${brief(score / one)} times as many draws as the reparameterised estimate, with baseline ${brief(baseline / one)} times.`;
    line.say(run.playing ? `Drawing. ${factor}` : `${many(n)} draw${n === 1 ? "" : "s"}. ${factor}`);
    const variances = NAMES.map((name, i) => `${name} ${now ? `measured ${brief(now.variance[i])}, ` : ""}exact ${brief(truth.variances[i])}`).join("; ");
    dots.label(`Variance for each draw: ${variances}.`);
    path.label(`Running estimates of the slope after ${many(n)} draws. Exact: ${number(truth.slope)}. ${now ? NAMES.map((name, i) => `${name}: ${number(now.mean[i])} ± ${number(now.error[i])}`).join("; ") : ""}`);
    curves.label(`f and q with mean ${number(get("mean"))}, standard deviation ${number(get("sd"))}. Left and right arrow keys move the mean, up and down the standard deviation; with Shift five times as far.`);
    for (const each of [curves, path, dots]) each.redraw();
  }

  const density = () => plot(ABOVE, ZS, [0, Math.max(0.8, 1.15 * peak(get("sd")))]);

  function drawCurves(ctx) {
    const colors = host.colors(), { px } = curves, { f } = FUNCTIONS[get("f")], points = [];
    for (let i = 0; i <= 480; i++) { const z = ZS[0] + i / 480 * (ZS[1] - ZS[0]); points.push([z, f(z) + get("lift")]); }
    const values = points.map(([, v]) => v), low = Math.min(0, ...values), high = Math.max(1.2, ...values), room = 0.06 * (high - low);
    const axes = plot(ABOVE, ZS, [low - room, high + room]);
    axes.axes(ctx, colors, { xLabel: "z", yLabel: "f(z) dashed; q(z), and its last draws", xTicks: 7, yTicks: 4, px });
    drawBell(ctx, density(), q(), colors, { px, xs: ZS });
    axes.line(ctx, points, { color: colors.vermillion, dash: [7, 3] });
    ctx.fillStyle = colors.purple;
    for (let i = Math.max(0, get("n") - 60); i < get("n"); i++) {
      const x = axes.x(get("mean") + get("sd") * noise[i]);
      if (x > ABOVE[0] && x < ABOVE[0] + ABOVE[2]) ctx.fillRect(x - 0.6, ABOVE[1] + ABOVE[3] - 11, 1.2, 11);
    }
  }

  function drawPath(ctx) {
    const colors = host.colors(), { px } = path, worst = Math.sqrt(Math.max(...truth.variances)), decades = get("n") > 1000 ? 4 : 3;
    const half = Math.max(1.1 * worst / 2, 1.3 * Math.abs(truth.pathMean - truth.slope)), axes = plot(PATH, [0, decades], [truth.slope - half, truth.slope + half]);
    axes.axes(ctx, colors, { xLabel: "draws", yLabel: "estimates of the slope of E[f(z)] by μ, ± one s.e.", xTicks: 0, yTicks: 5, px });
    ctx.font = font(12.5, px);
    ctx.textBaseline = "top";
    ctx.fillStyle = colors.muted;
    for (let d = 0; d <= decades; d++) {
      ctx.textAlign = d === decades ? "right" : "center";
      ctx.fillText(many(10 ** d), d === decades ? 458 : axes.x(d), PATH[1] + PATH[3] + 5);
    }
    axes.line(ctx, [[0, truth.slope], [decades, truth.slope]], { color: colors.ink, width: 1.3 });
    const all = get("n") > 1 ? [...history, running.now()] : [];
    for (const i of [1, 2, 0]) {
      if (!all.length) break;
      const at = ({ n, mean, error }, k) => [axes.x(Math.log10(n)), clamp(axes.y(mean[i] + k * error[i]), PATH[1], PATH[1] + PATH[3])];
      ctx.beginPath();
      for (const each of all) ctx.lineTo(...at(each, 1));
      for (const each of [...all].reverse()) ctx.lineTo(...at(each, -1));
      ctx.fillStyle = colors[COLORS[i]];
      ctx.globalAlpha = 0.16;
      ctx.fill();
      ctx.globalAlpha = 1;
      axes.line(ctx, all.map(({ n, mean }) => [Math.log10(n), mean[i]]), { color: colors[COLORS[i]], dash: DASHES[i] });
    }
  }

  /** Variances side by side on a logarithmic axis: measured as discs, exact as strokes. The lines' legend, too. */
  function drawDots(ctx) {
    const colors = host.colors(), { px } = dots, now = get("n") > 1 ? running.now() : null, [left, top, wide, tall] = DOTS;
    const known = truth.variances.filter((v) => v > 0).map(Math.log10), low = Math.floor(Math.min(-1, ...known)), high = Math.ceil(Math.max(2, ...known));
    const axes = plot([left + 8, top, wide - 16, tall], [low, high], [0, 1]), place = (v) => clamp(axes.x(Math.log10(v)), left, left + wide);
    ctx.font = font(12.5, px);
    ctx.textBaseline = "top";
    ctx.textAlign = "center";
    for (let d = low; d <= high; d++) {
      ctx.fillStyle = colors.line;
      ctx.fillRect(axes.x(d) - 0.5, top, 1, tall);
      ctx.fillStyle = colors.muted;
      ctx.fillText(d < 0 ? number(10 ** d, -d) : many(10 ** d), axes.x(d), top + tall + 4);
    }
    ctx.fillStyle = colors.ink;
    ctx.textAlign = "right";
    ctx.fillText("variance for each draw:", left + wide, top + tall + 6 + 15 * px);
    ctx.fillText("stroke exact, disc measured", left + wide, top + tall + 6 + 31 * px);
    NAMES.forEach((name, i) => {
      const y = top + (i + 0.68) / 3 * tall, value = truth.variances[i];
      ctx.fillStyle = ctx.strokeStyle = colors[COLORS[i]];
      ctx.lineWidth = 2;
      ctx.setLineDash(DASHES[i]);
      ctx.beginPath();
      ctx.moveTo(left, y - 22);
      ctx.lineTo(left + 26, y - 22);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      ctx.fillText(`${name}: ${brief(value)}`, left + 32, y - 22);
      if (value <= 0) return;
      ctx.globalAlpha = 0.5;
      if (now) { ctx.beginPath(); ctx.arc(place(now.variance[i]), y, 8, 0, 2 * Math.PI); ctx.fill(); }
      ctx.globalAlpha = 1;
      ctx.fillStyle = colors.ink;
      ctx.fillRect(place(value) - 1.25, y - 11, 2.5, 22);
    });
  }

  function reset() { run.stop(); update(); }
  reset();
  const ask = question(host, host.payload.question), row = (...parts) => el("div", { class: "vw-controls vw-secret" }, ...parts);
  const secret = el("div", { class: "vw-stage vw-two vw-secret" },
    el("div", { class: "vw-column" }, curves.canvas, path.canvas),
    el("div", { class: "vw-column" }, dots.canvas, numbers, el("div", { class: "vw-answers" }, go, once, anew), speeds));
  return { content: [ask, secret, row(kinds, lifts), row(means, widths), line], reset };
}
