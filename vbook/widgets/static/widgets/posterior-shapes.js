// What a shape costs: a factorised and a full-covariance q on posteriors of two latents, and the floor of free bits.
import { climbElbo, contourLines, ellipsePoints, freeBits, gridPosterior, linearBest, massLevels, SHAPE_MODELS } from "../shapes.js";
import { arrows, between, channels, choice, clamp, draggable, el, font, number, oneOf, plot, question, reader, slider, status, surface } from "../ui.js";

const SIZE = 460, BOX = [48, 26, 398, 384], REACH = 3.3, SHARES = [1 - Math.exp(-0.5), 1 - Math.exp(-2)]; // as within 1 and 2 sd
const NAMES = { factorised: "factorised", full: "full covariance" }, WIDE = 320;

export function posteriorShapes(host) {
  const parts = { shapes: shapes(host), free: floor(host) }, get = reader(host, { part: "shapes" }, { part: oneOf(parts) });
  const which = choice({ label: "What changes", options: { shapes: "q may slant", free: "free bits" }, value: get("part"), change: (part) => { host.save({ part }); show(); } });
  const boxes = Object.fromEntries(Object.entries(parts).map(([key, part]) => [key, el("div", {}, ...part.content)]));
  boxes.shapes.prepend(asked(host, boxes.shapes, host.payload.question, 1));
  boxes.free.prepend(asked(host, boxes.free, host.payload.question2, 2));
  function show() {
    const now = get("part");
    which.set(now);
    for (const [key, box] of Object.entries(boxes)) box.hidden = key !== now;
    parts[now].update();
  }
  show();
  which.style.marginBottom = "0.8rem";
  return { content: [which, boxes.shapes, boxes.free], reset: show, stay: ["part"] };
}

/** The question of one part: it covers that part alone; `asked` in the state is the sum of the `bit`s of those answered. */
function asked(host, root, words, bit) {
  const state = { asked: (host.state.asked ?? 0) & bit };
  return question({ root, state, save: () => host.save({ asked: (host.state.asked ?? 0) | bit }) }, words);
}

function shapes(host) {
  const start = { model: "sum", q: "factorised", s: 0.8, x: 1.5, m1: 1.8, m2: 0.3 };
  const inPlane = between(-REACH, REACH);
  const get = reader(host, start, { model: oneOf(SHAPE_MODELS), q: oneOf(NAMES), s: between(0.15, 1.5), x: between(-3, 3), m1: inPlane, m2: inPlane });
  let kept = null, found = null;
  const axes = plot(BOX, [-REACH, REACH], [-REACH, REACH]), plane = surface(host, { width: SIZE, height: SIZE, interactive: true, className: "vw-plane", label: "", draw: drawPlane });
  const bars = surface(host, { width: WIDE, height: 202, label: "", draw: drawBars });
  const line = status(host), table = el("table", { class: "vw-table" });
  const models = choice({ label: "x is", options: Object.fromEntries(Object.entries(SHAPE_MODELS).map(([key, { text }]) => [key, text])), value: get("model"), change: (model) => set({ model }) });
  const families = choice({ label: "q is", options: NAMES, value: get("q"), change: (q) => set({ q }) });
  const noise = slider({ label: "noise s", min: 0.15, max: 1.5, step: 0.05, value: get("s"), input: (s) => set({ s }) });
  const observed = slider({ label: "observation x", min: -3, max: 3, step: 0.1, value: get("x"), format: (v) => number(v, 1), input: (x) => set({ x }) });
  draggable(plane, (x, y, phase) => { if (phase !== "between") move(axes.fromX(x), axes.fromY(y), phase === "up"); });
  arrows(plane, (dx, dy) => move(get("m1") + 0.1 * dx, get("m2") + 0.1 * dy, true));

  function set(changes) { host.save(changes); update(); }
  function move(m1, m2, settled) {
    Object.assign(host.state, { m1: clamp(m1, -REACH, REACH), m2: clamp(m2, -REACH, REACH) });
    if (settled) host.save({});
    climb();
  }

  function update() {
    for (const [control, key] of [[models, "model"], [families, "q"], [noise, "s"], [observed, "x"]]) control.set(get(key));
    const name = get("model"), key = [name, get("s"), get("x")].join();
    if (kept?.key !== key) {
      const grid = gridPosterior(SHAPE_MODELS[name], get("x"), get("s"));
      kept = { key, name, grid, lines: massLevels(grid, SHARES).map((level) => contourLines(grid, level, REACH)), image: null };
    }
    climb();
  }

  function climb() {
    const model = SHAPE_MODELS[kept.name], at = [get("m1"), get("m2")];
    found = Object.fromEntries(Object.keys(NAMES).map((family) => {
      const full = family === "full", q = kept.name === "sum" ? linearBest(model, get("x"), get("s"), full) : climbElbo(model, get("x"), get("s"), full, at);
      return [family, { ...q, gap: Math.max(0, kept.grid.logPx - q.elbo) }];
    }));
    const { logPx } = kept.grid, row = (head, cells) => el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", {}, number(cell, 3))));
    const each = (key) => Object.values(found).map((q) => q[key]);
    table.replaceChildren(
      el("tr", {}, el("th", { scope: "col" }, "nats"), ...["factorised", "full"].map((name) => el("th", { scope: "col" }, name))),
      row("ELBO", each("elbo")), row("gap", each("gap")), row("log p(x)", [logPx, logPx]));
    const family = get("q"), q = found[family], gain = found.full.elbo - found.factorised.elbo;
    const where = `${NAMES[family]} q around (${q.mean.map((v) => number(v)).join(", ")})`;
    plane.label(`The posterior of two latents and the ${where}. Arrow keys move the point where the climb of q starts, with Shift five times as far.`);
    bars.label(`Gap of the factorised q ${number(found.factorised.gap)} nats, of the full-covariance q ${number(found.full.gap)} nats`);
    line.say(`${model.formula}: the ${where} leaves ${number(q.gap)} nats. To slant ${gain < 5e-4 ? "gains nothing here" : `is worth ${number(gain)} nats`}.`);
    plane.redraw();
    bars.redraw();
  }

  function drawPlane(ctx) {
    if (!found) return;
    const colors = host.colors(), { grid } = kept, family = get("q"), px = plane.px;
    if (kept.image?.color !== colors.vermillion) kept.image = { color: colors.vermillion, canvas: shaded(grid, colors.vermillion) };
    const from = (grid.reach - REACH) / grid.h + 0.5, size = 2 * REACH / grid.h;
    ctx.drawImage(kept.image.canvas, from, from, size, size, ...BOX);
    for (const segments of kept.lines) {
      ctx.beginPath();
      for (const [a, b, c, d] of segments) { ctx.moveTo(axes.x(a), axes.y(b)); ctx.lineTo(axes.x(c), axes.y(d)); }
      ctx.strokeStyle = colors.vermillion;
      ctx.lineWidth = 1.6;
      ctx.stroke();
    }
    for (const k of [1, 2]) axes.line(ctx, ellipsePoints(found[family], k), { color: colors.blue, width: 2.6, dash: [8, 4] });
    const at = [axes.x(get("m1")), axes.y(get("m2"))], to = found[family].mean, center = [axes.x(to[0]), axes.y(to[1])];
    if (kept.name !== "sum") {
      ctx.setLineDash([2, 3]);
      ctx.strokeStyle = colors.ink;
      ctx.lineWidth = 1.2;
      ctx.beginPath();
      ctx.moveTo(...at);
      ctx.lineTo(...center);
      ctx.stroke();
      ctx.setLineDash([]);
      dot(ctx, at, 6, colors.paper, colors.ink);
    }
    dot(ctx, center, 4, colors.blue, colors.paper);
    axes.axes(ctx, colors, { xLabel: "z₁", yLabel: "z₂", xTicks: 7, yTicks: 7, px });
    ctx.font = font(12.5, px);
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillStyle = colors.blue;
    ctx.fillText("q, dashed", SIZE - 14, Math.max(BOX[1] - 5, 17 * px));
    const wide = ctx.measureText("q, dashed   ").width;
    ctx.fillStyle = colors.vermillion;
    ctx.fillText("posterior", SIZE - 14 - wide, Math.max(BOX[1] - 5, 17 * px));
  }

  function drawBars(ctx) {
    if (!found) return;
    const colors = host.colors(), { logPx } = kept.grid, px = bars.px;
    const most = [0.5, 1, 2, 4, 8, 20, 50, 200].find((g) => g > 1.15 * Math.max(found.factorised.gap, found.full.gap)) ?? 500;
    const p = plot([14, 8, WIDE - 28, 138], [logPx - most, logPx + 0.04 * most], [0, 2]);
    Object.entries(found).forEach(([family, q], row) => {
      const y = p.y(2 - row) + 30, x = p.x(q.elbo), edge = p.x(logPx);
      ctx.fillStyle = colors.orange;
      ctx.fillRect(x, y, edge - x, 20);
      ctx.fillStyle = colors.blue;
      ctx.fillRect(x - 2, y - 4, 4, 28);
      Object.assign(ctx, { font: font(13, px), textBaseline: "bottom", textAlign: "left", fillStyle: colors.ink });
      ctx.fillText(`${NAMES[family]}: gap ${number(q.gap)}`, 16, y - 6);
    });
    p.line(ctx, [[logPx, 0], [logPx, 2]], { color: colors.vermillion, width: 2.5 });
    p.axes(ctx, colors, { xLabel: "", yTicks: 0, xTicks: 5, px });
    ctx.font = font(12.5, px);
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillStyle = colors.blue;
    const under = 152 + 15 * px; // the numbers at the ticks
    ctx.fillText("ELBO", 14, under);
    ctx.fillStyle = colors.ink;
    ctx.fillText("(nats)", 14 + ctx.measureText("ELBO ").width, under);
    ctx.textAlign = "right";
    ctx.fillStyle = colors.vermillion;
    ctx.fillText("log p(x)", WIDE - 14, under);
  }

  const secret = el("div", { class: "vw-stage vw-two vw-secret" }, el("div", { class: "vw-column" }, plane.canvas), el("div", { class: "vw-column" }, bars.canvas, table, noise, observed));
  const hint = el("p", { class: "vw-hint vw-secret" }, "Lines of posterior and q hold 39 and 86 % of each. For product and ring q climbs from the hollow point: drag it.");
  return { content: [secret, el("div", { class: "vw-controls vw-secret" }, models, families), hint, line], update };
}

const FIRST = 6, FLOORS = [0, 2], FLOOR_BOX = [44, 26, 296, 196], LOST_BOX = [48, 26, 290, 196], HALF = 350;

function floor(host) {
  const get = reader(host, { lam: 0.5, v2: 0.5 }, { lam: between(...FLOORS), v2: between(0.1, 4) }), variances = () => [FIRST, get("v2")];
  let without, now;
  const says = plot(FLOOR_BOX, [0, 2], [0, 2.2]);
  const lost = (lam) => without.elbo - freeBits(variances(), 1, lam).elbo;
  const bars = surface(host, { width: HALF, height: 270, interactive: true, label: "", draw: drawBars });
  const curve = surface(host, { width: HALF, height: 270, label: "", draw: drawCurve });
  const line = status(host), table = el("table", { class: "vw-table vw-secret" });
  const free = slider({ label: "free nats λ of each latent", min: FLOORS[0], max: FLOORS[1], step: 0.05, value: get("lam"), input: (lam) => set({ lam }) });
  const second = slider({ label: "variance V₂ in units of s²", min: 0.1, max: 4, step: 0.1, value: get("v2"), format: (v) => number(v, 1), input: (v2) => set({ v2 }) });
  draggable(bars, (_, y, phase) => { if (phase !== "between") set({ lam: snapped(says.fromY(y)) }, phase === "up"); });
  arrows(bars, (dx, dy) => set({ lam: snapped(get("lam") + 0.05 * (dy || dx)) }));
  const snapped = (lam) => clamp(Math.round(20 * lam) / 20, ...FLOORS);

  function set(changes, settled = true) { Object.assign(host.state, changes); if (settled) host.save({}); update(); }

  function update() {
    const lam = get("lam");
    free.set(lam);
    second.set(get("v2"));
    [without, now] = [0, lam].map((floor) => freeBits(variances(), 1, floor));
    const row = (head, { latents, elbo }) => el("tr", {}, el("th", { scope: "row" }, head), ...[latents[0].kl, latents[1].kl, elbo - without.elbo].map((v) => el("td", {}, number(v))));
    const head = ["optimum of", "KL z₁", "KL z₂", "ELBO"].map((text) => el("th", { scope: "col" }, text));
    table.replaceChildren(el("tr", {}, ...head), row("the ELBO", without), row("free bits", now));
    const kls = ({ latents }) => latents.map(({ kl }) => number(kl)).join(" and ");
    bars.label(`KL of each latent in nats: ${kls(without)} at the optimum of the ELBO, ${kls(now)} with λ = ${number(lam)}. Arrow keys move λ, with Shift five times as far.`);
    curve.label(`The ELBO lost against λ; ${number(lost(lam))} nats at λ = ${number(lam)}`);
    const raised = [0, 1].filter((j) => now.latents[j].kl > without.latents[j].kl + 1e-9).map((j) => ["z₁", "z₂"][j]);
    const what = raised.length ? `${raised.join(" and ")} kept at ${number(lam)} nats` : "no latent is below the floor";
    line.say(`λ = ${number(lam)}: ${what}. The ELBO is ${number(lost(lam))} nats below its best.`);
    bars.redraw();
    curve.redraw();
  }

  function drawBars(ctx) {
    if (!now) return;
    const colors = host.colors(), px = bars.px, y0 = says.y(0), top = says.y(get("lam"));
    ctx.globalAlpha = 0.3;
    ctx.fillStyle = colors.orange;
    ctx.fillRect(FLOOR_BOX[0], top, FLOOR_BOX[2], y0 - top);
    ctx.globalAlpha = 1;
    ctx.textAlign = "center";
    [0, 1].forEach((j) => [without, now].forEach(({ latents }, k) => {
      const x = says.x(j + 0.2 + 0.32 * k), y = says.y(latents[j].kl), wide = says.x(0.28) - says.x(0);
      ctx.fillStyle = ctx.strokeStyle = colors.blue;
      ctx.lineWidth = 2;
      if (k) ctx.fillRect(x, y - 1, wide, y0 - y + 1);
      else ctx.strokeRect(x + 1, y, wide - 2, y0 - y);
      ctx.font = font(12, px);
      ctx.textBaseline = "bottom";
      ctx.fillStyle = colors.ink;
      ctx.fillText(number(latents[j].kl), x + wide / 2, y - 3);
      if (!k) { ctx.textBaseline = "top"; ctx.fillText(["z₁", "z₂"][j] + ` (V${["₁", "₂"][j]} = ${number(variances()[j], 1)} s²)`, says.x(j + 0.5), y0 + 6); }
    }));
    says.line(ctx, [[0, get("lam")], [2, get("lam")]], { color: colors.ink, width: 1.6, dash: [6, 4] });
    says.axes(ctx, colors, { yLabel: "KL to the prior (nats)", xTicks: 0, yTicks: 5, px });
    ctx.font = font(12, px);
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillStyle = colors.muted;
    ctx.fillText("outlined: ELBO, filled: free bits", FLOOR_BOX[0], y0 + 6 + 16 * px);
  }

  function drawCurve(ctx) {
    if (!now) return;
    const colors = host.colors(), px = curve.px, most = Math.max(0.25, lost(FLOORS[1])) * 1.1;
    const p = plot(LOST_BOX, FLOORS, [0, most]), points = Array.from({ length: 81 }, (_, i) => [i / 40, lost(i / 40)]);
    p.axes(ctx, colors, { xLabel: "λ (nats)", yLabel: "ELBO lost (nats)", px });
    p.line(ctx, points, { color: colors.blue, width: 2.4 });
    dot(ctx, [p.x(get("lam")), p.y(lost(get("lam")))], 6, colors.blue, colors.paper);
  }

  const secret = el("div", { class: "vw-stage vw-even vw-secret" }, el("div", { class: "vw-column" }, bars.canvas), el("div", { class: "vw-column" }, curve.canvas));
  const hint = el("p", { class: "vw-hint vw-secret" }, "Each latent explains one direction of x = w z + s ε, whose data have variance V₁ and V₂; ELBO: mean over the data, against its best. Drag the dashed floor.");
  return { content: [secret, el("div", { class: "vw-controls vw-secret" }, free, second), table, hint, line], update };
}

/** A point with an edge. */
function dot(ctx, [x, y], radius, fill, edge) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(ctx, { fillStyle: fill, strokeStyle: edge, lineWidth: 1.6 });
  ctx.fill();
  ctx.stroke();
}

/** The density as a picture, more opaque where it is higher; the first row is the top. */
function shaded({ n, density }, color) {
  const image = new ImageData(n, n), [r, g, b] = channels(color), most = density.reduce((a, v) => Math.max(a, v), 0);
  for (let j = 0, k = 0; j < n; j++) for (let i = 0; i < n; i++, k += 4) {
    [image.data[k], image.data[k + 1], image.data[k + 2]] = [r, g, b];
    image.data[k + 3] = 110 * Math.sqrt(density[(n - 1 - j) * n + i] / most);
  }
  const canvas = new OffscreenCanvas(n, n);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
