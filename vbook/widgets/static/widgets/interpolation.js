// Between two images: straight and spherical paths in the latent plane, and the mix of the pixels.
import { named, nearest, ring, scatter, tile, unpacked } from "../plane.js";
import { arrows, between, choice, clamp, draggable, el, font, inSlices, number, oneOf, pictureOf, plot, question, reader, slider, status, surface } from "../ui.js";

const SIZE = 460, BOX = [52, 26, 394, 378], REACH = 4, STEPS = 8;
const ROW = { width: 730, tile: 76, caption: 24 };
const PATHS = { straight: "straight line in z", spherical: "spherical path in z", pixels: "pixels mixed" };
const LEGEND = "A and B are encoded test images: drag them. Solid: the straight line. Dashed: round the origin, with a length |z| that changes steadily.";
const MORE = " Below the pictures, the digit of the nearest test image. Entropy says how undecided the pixels are.";

/** (1 − t) a + t b, number by number: a line between two points, or a cross-fade of two pictures. */
export const straight = (a, b, t) => Array.from(a, (v, i) => (1 - t) * v + t * b[i]);

/** From a to b round the origin: angle (the shorter way) and length change steadily. A point at the origin has the other's angle. */
export function spherical(a, b, t) {
  const [r, s] = [Math.hypot(...a), Math.hypot(...b)];
  const angleOf = ([z1, z2]) => Math.atan2(z2, z1), from = angleOf(r ? a : b), to = angleOf(s ? b : a);
  const turn = Math.atan2(Math.sin(to - from), Math.cos(to - from));
  const angle = from + t * turn, length = (1 - t) * r + t * s;
  return [length * Math.cos(angle), length * Math.sin(angle)];
}

/** How undecided pixels with these probabilities are: their entropy in nats. */
export const entropy = (p) => p.reduce((sum, v) => sum - (v > 0 ? v * Math.log(v) : 0) - (v < 1 ? (1 - v) * Math.log1p(-v) : 0), 0);

export function interpolation(host) {
  const { payload } = host, sets = payload.sets, first = Object.keys(sets)[0];
  const startOf = (name) => { const [a, b] = sets[name].start.map(([end, i]) => sets[name][end][i].z); return { a1: a[0], a2: a[1], b1: b[0], b2: b[1] }; };
  const chosen = reader(host, { set: first }, { set: oneOf(sets) }), setName = () => chosen("set");
  const inPlane = between(-REACH, REACH), ends_ = { a1: inPlane, a2: inPlane, b1: inPlane, b2: inPlane };
  const get = (key) => reader(host, { t: 0.5, path: "straight", ...startOf(setName()) }, { t: between(0, 1), path: oneOf(PATHS), ...ends_ })(key);
  const path = () => get("path");
  const end = (name) => [get(`${name}1`), get(`${name}2`)];
  const axes = plot(BOX, [-REACH, REACH], [-REACH, REACH]);
  let set, shown = null, decode = null, ends = {}, films = null, cursor = 0, filming = false, stale = false, now = null, held = "a";

  const plane = surface(host, { width: SIZE, height: SIZE, interactive: true, draw: drawPlane, label: "" });
  const tall = surface(host, { width: 260, height: 260, label: "", draw: drawPicture, className: "vw-decoded" });
  const rows = Object.fromEntries(Object.keys(PATHS).map((name) => [name, surface(host, { width: ROW.width, height: ROW.tile + (name === "pixels" ? 0 : ROW.caption), label: "", draw: (ctx, on) => drawRow(ctx, name, on) })]));
  const numbers = el("dl", { class: "vw-numbers" }), legend = el("p", { class: "vw-hint" }), line = status(host);
  const strips = { a: el("div", { class: "vw-strip", role: "group", "aria-label": "From" }), b: el("div", { class: "vw-strip", role: "group", "aria-label": "To" }) };
  const time = slider({ label: "t, from A to B", min: 0, max: 1, step: 0.01, value: get("t"), input: (t) => { host.save({ t }); moved(); } });
  const ways = choice({ label: "Follow", options: PATHS, value: path(), change: (way) => { host.save({ path: way }); moved(); } });
  const datasets = choice({ label: "Model of", options: Object.fromEntries(Object.entries(sets).map(([key, one]) => [key, one.label])), value: setName(), change: (name) => { host.save({ set: name, ...startOf(name) }); update(); } });

  draggable(plane, (x, y, phase) => {
    if (phase === "between") return;
    const away = (name) => Math.hypot(axes.x(get(`${name}1`)) - x, axes.y(get(`${name}2`)) - y);
    if (phase === "down") held = away("a") < away("b") ? "a" : "b";
    place(clamp(axes.fromX(x), -REACH, REACH), clamp(axes.fromY(y), -REACH, REACH), phase === "up");
  });
  arrows(plane, (dx, dy) => {
    const [z1, z2] = end(held);
    place(clamp(z1 + 0.1 * dx, -REACH, REACH), clamp(z2 + 0.1 * dy, -REACH, REACH), true);
  });
  plane.canvas.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    held = held === "a" ? "b" : "a";
    naming();
    line.say(`The arrow keys now move ${held.toUpperCase()}.`);
  });
  for (const [name, row] of Object.entries(rows)) {
    row.canvas.style.touchAction = "pan-y"; // a finger that moves up or down still scrolls the page
    draggable(row, (x, y, phase) => {
      if (phase === "between") return;
      const t = clamp(Math.round(100 * (x - ROW.tile / 2) / (ROW.width - ROW.tile)) / 100, 0, 1);
      Object.assign(host.state, { t, path: name });
      if (phase === "up") host.save({});
      moved();
    });
  }

  function place(z1, z2, settled) {
    const changes = { [`${held}1`]: z1, [`${held}2`]: z2 };
    Object.assign(host.state, changes);
    if (settled) host.save(changes);
    film();
  }

  function naming() {
    plane.label(`The latent plane with the paths from A to B. Arrow keys move ${held.toUpperCase()}, with Shift five times as far; Space changes to ${held === "a" ? "B" : "A"}.`);
  }

  /** What hangs on the model: tiles to choose from, the decoder. */
  function update() {
    datasets.set(setName());
    if (shown !== setName()) {
      const wanted = shown = setName();
      set = sets[shown];
      legend.textContent = LEGEND + (set.ink ? MORE : "");
      decode = films = null;
      ends = {};
      for (const strip of Object.values(strips)) strip.replaceChildren();
      host.network(set.decoder).then((run) => {
        if (shown !== wanted) return;
        decode = run;
        for (const [name, strip] of Object.entries(strips)) strip.replaceChildren(...set[name].map((one, i) => tileOf(name, one, i)));
        film();
      }, (error) => { if (shown === wanted) host.lost(error); });
    }
    film();
  }

  function tileOf(name, one, i) {
    const [h, w] = set.shape, label = one.bits ? named(one.label) : `face ${i + 1}`;
    const press = () => { held = name; place(...one.z, true); };
    return Object.assign(tile(host, { values: one.bits ? unpacked(one.bits, h * w) : decode(one.z).mean, shape: set.shape, ink: set.ink, label, press }), { z: one.z });
  }

  const point = (way, t) => (way === "pixels" ? null : { straight, spherical }[way](end("a"), end("b"), t));
  const pictureAt = (way, t) => (way === "pixels" ? straight(ends.a.values, ends.b.values, t) : decode(point(way, t)).mean);

  /** When an end has moved: its picture now, those of the paths in slices, each in its turn, so that all follow while one drags. */
  function film() {
    if (decode) {
      for (const name of ["a", "b"]) if (ends[name]?.key !== end(name).join()) ends[name] = { key: end(name).join(), values: decode(end(name)).mean };
      for (const [name, strip] of Object.entries(strips)) for (const one of strip.children) one.set(one.z.every((v, i) => Math.abs(v - end(name)[i]) < 1e-3));
      stale = true;
      if (!filming) shoot();
    }
    moved();
  }

  function shoot() {
    const names = Object.keys(PATHS), count = names.length * (STEPS + 1), model = shown;
    films ??= Object.fromEntries(names.map((way) => [way, []]));
    [filming, stale] = [true, false];
    inSlices(count, () => {
      const way = names[cursor % names.length], k = Math.floor(cursor / names.length), t = k / STEPS;
      cursor = (cursor + 1) % count;
      if (!decode || model !== shown) return;
      films[way][k] = { values: pictureAt(way, t), near: way === "pixels" ? null : nearest(set, point(way, t)) };
      rows[way].redraw();
    }, () => {
      filming = false;
      if (decode && (stale || model !== shown)) shoot();
      for (const way of names) {
        const kinds = films?.[way][0]?.near ?? null;
        rows[way].label(`Nine pictures from A to B, ${PATHS[way]}${kinds === null ? "" : `; nearest test images ${films[way].map((one) => one.near).join(", ")}`}`);
      }
    }, host.signal);
  }

  /** When only t or the path has moved. */
  function moved() {
    const t = get("t"), z = point(path(), t), near = z && nearest(set, z);
    naming();
    time.set(t);
    ways.set(path());
    const lengths = Object.keys(PATHS).slice(0, 2).map((way) => Math.hypot(...point(way, t)));
    now = decode && Object.fromEntries(Object.keys(PATHS).map((way) => [way, pictureAt(way, t)]));
    const found = { "|z| straight": number(lengths[0]), "|z| spherical": number(lengths[1]) };
    if (decode && set.ink) for (const [name, way] of [["straight", "straight"], ["spherical", "spherical"], ["mixed", "pixels"]]) found[`entropy, ${name}`] = `${number(entropy(now[way]), 0)} nats`;
    numbers.replaceChildren(...Object.entries(found).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const where = z ? `At z = (${z.map((v) => number(v, 1)).join(", ")}), length ${number(Math.hypot(...z), 1)}` : "Pixels mixed: no point of the plane";
    line.say(`${where}, ${Math.round(100 * t)} % of the way${near === null ? "" : `; the nearest test image shows ${named(near)}`}.`);
    tall.label(`Picture at ${Math.round(100 * t)} % of the way, ${PATHS[path()]}`);
    for (const on of [plane, tall, ...Object.values(rows)]) on.redraw();
  }

  function drawPicture(ctx) {
    if (!now) return;
    const [h, w] = set.shape, scale = Math.min(260 / h, 260 / w);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(pictureOf(now[path()], w, h, host.colors(), set.ink), (260 - w * scale) / 2, (260 - h * scale) / 2, w * scale, h * scale);
  }

  function drawRow(ctx, way, on) {
    if (!films) return;
    const colors = host.colors(), [h, w] = set.shape, scale = ROW.tile / h, gap = (ROW.width - ROW.tile) / STEPS;
    films[way].forEach((one, k) => {
      const { near } = one;
      if (one.theme !== colors.ink) Object.assign(one, { theme: colors.ink, picture: pictureOf(one.values, w, h, colors, set.ink) });
      const left = k * gap + (ROW.tile - w * scale) / 2, top = near === null ? (on.height - ROW.tile) / 2 : 0;
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(one.picture, left, top, w * scale, ROW.tile);
      if (way === path() && k === Math.round(STEPS * get("t"))) {
        ctx.strokeStyle = colors.vermillion;
        ctx.lineWidth = 2.5 * on.px;
        ctx.strokeRect(Math.max(1.5, left), top + 1.5, Math.min(w * scale, ROW.width - left - 1.5), ROW.tile - 3);
      }
      if (near === null) return;
      ctx.font = font(11.5, on.px);
      ctx.textAlign = "center";
      ctx.textBaseline = "bottom";
      ctx.fillStyle = colors.muted;
      ctx.fillText(near, k * gap + ROW.tile / 2, on.height);
    });
  }

  function drawPlane(ctx) {
    if (!set) return;
    const colors = host.colors(), px = plane.px;
    ctx.globalAlpha = 0.55;
    scatter(ctx, colors, axes, BOX, set, { px });
    ctx.globalAlpha = 1;
    axes.axes(ctx, colors, { xLabel: "z₁", yLabel: "z₂", xTicks: 7, yTicks: 7, px });
    for (const [way, dash] of [["straight", []], ["spherical", [7, 5]]]) {
      const points = Array.from({ length: 49 }, (_, k) => point(way, k / 48));
      axes.line(ctx, points, { color: colors.paper, width: 6 * px });
      axes.line(ctx, points, { color: colors.vermillion, width: (way === path() ? 3 : 1.5) * px, dash });
    }
    const z = point(path(), get("t"));
    if (z) ring(ctx, colors, axes.x(z[0]), axes.y(z[1]), { radius: 7, px });
    for (const name of ["a", "b"]) {
      const [x, y] = [axes.x(get(`${name}1`)), axes.y(get(`${name}2`))];
      ctx.beginPath();
      ctx.arc(x, y, 11 * px, 0, 2 * Math.PI);
      ctx.fillStyle = colors.blue;
      ctx.fill();
      ctx.fillStyle = colors.paper;
      ctx.font = font(13, px);
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(name.toUpperCase(), x, y + 0.5);
    }
  }

  update();
  const words = (text) => el("p", { class: "vw-hint" }, text), caption = (text) => el("p", { class: "vw-hint vw-caption" }, text);
  const beside = (text, strip) => el("div", { class: "vw-row" }, words(text), strip);
  return {
    content: [
      question(host, payload.question),
      el("div", { class: "vw-secret" },
        el("div", { class: "vw-controls" }, datasets),
        beside("From A", strips.a), beside("To B", strips.b),
        el("div", { class: "vw-stage vw-two" },
          el("div", { class: "vw-column" }, plane.canvas),
          el("div", { class: "vw-column" }, tall.canvas, numbers)),
        legend,
        el("div", { class: "vw-controls" }, time, ways),
        ...Object.entries(rows).flatMap(([name, row]) => [caption(PATHS[name]), row.canvas])),
      line,
    ],
    reset() { held = "a"; update(); },
  };
}
