// The latent plane through its decoder: drag a point, the decoded picture follows.
import { normalCdf, normalQuantile } from "../maths.js";
import { named, nearest, ring, scatter } from "../plane.js";
import { arrows, between, choice, clamp, draggable, el, imageOf, inSlices, number, oneOf, pictureOf, plot, question, reader, status, surface } from "../ui.js";

const SIZE = 460, BOX = [52, 26, 394, 378], REACH = 4, TILES = 20;
const VIEWS = { points: "encoded test images", tiles: "decoded pictures", speed: "how fast they change" };
const SPACES = { z: "z", u: "Φ(z), the unit square" };

export function latentManifold(host) {
  const { payload } = host, sets = payload.sets;
  const first = Object.keys(sets)[0];
  let set, decode = null, shown = null, picture = null, stop = null, unfinished = null;
  const cache = new Map(); // background of the plane: set and view and space and theme -> canvas
  const spoken = new Map(); // what the map of speeds says: set and space -> words
  const fits = { set: oneOf(sets), view: oneOf(VIEWS), space: oneOf(SPACES), z1: between(-REACH, REACH), z2: between(-REACH, REACH) };
  const get = reader(host, { set: first, view: "points", space: "z", z1: 0, z2: 0 }, fits);
  const range = () => (get("space") === "z" ? [-REACH, REACH] : [0, 1]);
  const axes = () => plot(BOX, range(), range());
  const toPlane = (z) => (get("space") === "z" ? z : normalCdf(z));
  const fromPlane = (v) => (get("space") === "z" ? v : normalQuantile(clamp(v, 2e-4, 1 - 2e-4)));

  const plane = surface(host, {
    width: SIZE, height: SIZE, interactive: true, className: "vw-plane",
    label: "The latent plane. Arrow keys move the point, with Shift five times as far.", draw: drawPlane,
  });
  const tall = surface(host, { width: 280, height: 280, label: "The decoded picture", draw: drawPicture, className: "vw-decoded" });
  const numbers = el("dl", { class: "vw-numbers" }), line = status(host);
  const views = choice({ label: "The plane shows", options: VIEWS, value: get("view"), change: (view) => set_({ view }) });
  const spaces = choice({ label: "Axes", options: SPACES, value: get("space"), change: (space) => set_({ space }) });
  const datasets = choice({ label: "Model of", options: Object.fromEntries(Object.entries(sets).map(([key, one]) => [key, one.label])), value: get("set"), change: (name) => set_({ set: name }) });

  draggable(plane, (x, y, phase) => {
    if (phase === "between") return;
    const a = axes(), [low, high] = range();
    move(fromPlane(clamp(a.fromX(x), low, high)), fromPlane(clamp(a.fromY(y), low, high)), phase === "up");
  });
  arrows(plane, (dx, dy) => {
    const [low, high] = range(), step = (high - low) / 70;
    const to = (key, by) => fromPlane(clamp(toPlane(get(key)) + by * step, low, high));
    move(dx ? to("z1", dx) : get("z1"), dy ? to("z2", dy) : get("z2"), true);
  });

  function move(z1, z2, settled) {
    Object.assign(host.state, { z1, z2 });
    if (settled) host.save({ z1, z2 });
    decoded();
    plane.redraw();
  }

  function set_(changes) {
    host.save(changes);
    update();
  }

  function update() {
    quit();
    views.set(get("view"));
    spaces.set(get("space"));
    datasets.set(get("set"));
    if (shown !== get("set")) {
      shown = get("set");
      set = sets[shown];
      decode = picture = null;
      const wanted = shown;
      host.network(set.decoder).then((run) => {
        if (shown !== wanted) return;
        decode = run;
        decoded();
        plane.redraw();
      }, (error) => { if (shown === wanted) host.lost(error); });
    }
    decoded();
    if (get("view") === "speed" && spoken.has(shown + get("space"))) line.say(spoken.get(shown + get("space")));
    plane.redraw();
  }

  function decoded() {
    const z = [get("z1"), get("z2")];
    if (decode) picture = decode(z).mean;
    const rows = { "z₁, z₂": z.map((v) => number(v)).join(", "), "Φ(z₁), Φ(z₂)": z.map((v) => number(normalCdf(v), 3)).join(", ") };
    numbers.replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const near = nearest(set, z), kind = near === null ? "" : `, nearest to a test image of ${named(near)}`;
    tall.label(`Decoded picture at z = (${z.map((v) => number(v)).join(", ")})`);
    line.say(`At z = (${z.map((v) => number(v, 1)).join(", ")})${kind}.`);
    tall.redraw();
  }

  function drawPicture(ctx) {
    if (!picture) return;
    const [h, w] = set.shape, scale = Math.min(280 / h, 280 / w);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(pictureOf(picture, w, h, host.colors(), set.ink), (280 - w * scale) / 2, (280 - h * scale) / 2, w * scale, h * scale);
  }

  function drawPlane(ctx) {
    const colors = host.colors(), a = axes(), view = get("view");
    if (!set) return;
    if (view === "points") scatter(ctx, colors, a, BOX, set, { px: plane.px, to: toPlane });
    else drawTiles(ctx, colors, a, view);
    const name = get("space") === "z" ? ["z₁", "z₂"] : ["Φ(z₁)", "Φ(z₂)"];
    a.axes(ctx, colors, { xLabel: name[0], yLabel: name[1], xTicks: 7, yTicks: 7, px: plane.px });
    const [x, y] = [a.x(toPlane(get("z1"))), a.y(toPlane(get("z2")))];
    ring(ctx, colors, x, y);
  }

  function drawTiles(ctx, colors, a, view) {
    const key = [shown, view, get("space"), colors.ink, colors.paper].join();
    if (!cache.has(key)) { if (decode) make(key, view, colors); return; }
    ctx.imageSmoothingEnabled = view === "tiles";
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(cache.get(key), ...BOX);
  }

  /** Ends what is being painted; what is half done isn't kept. */
  function quit() {
    stop?.();
    if (unfinished) cache.delete(unfinished);
    stop = unfinished = null;
  }

  /** All tiles, a few milliseconds at a time; the plane is redrawn every four rows. */
  function make(key, view, colors) {
    quit();
    const [h, w] = set.shape, run = decode, [low, high] = range(), ink = set.ink;
    const at = (k) => fromPlane(low + (k + 0.5) / TILES * (high - low));
    const canvas = new OffscreenCanvas(view === "tiles" ? TILES * w : TILES, view === "tiles" ? TILES * h : TILES), ctx = canvas.getContext("2d");
    cache.set(key, canvas);
    unfinished = key;
    const speeds = new Float32Array(TILES * TILES);
    const step = (i) => {
      const column = i % TILES, row = Math.floor(i / TILES), z = [at(column), at(TILES - 1 - row)];
      if (view === "tiles") ctx.putImageData(imageOf(run(z).mean, w, h, colors, ink), column * w, row * h);
      else speeds[i] = speed(run, z);
      if ((i + 1) % (4 * TILES)) return; // a painting of the plane takes as long as a few decodings
      if (view === "speed") heat(ctx, speeds, colors);
      plane.redraw();
    };
    stop = inSlices(TILES * TILES, step, () => {
      stop = unfinished = null;
      if (view !== "speed") return;
      spoken.set(shown + get("space"), spread(speeds));
      line.say(spoken.get(shown + get("space")));
    }, host.signal);
  }

  function heat(ctx, speeds, colors) {
    const most = Math.max(...speeds);
    speeds.forEach((v, i) => {
      for (const [share, color] of [[1, colors.paper], [v / most, colors.vermillion]]) {
        ctx.globalAlpha = share;
        ctx.fillStyle = color;
        ctx.fillRect(i % TILES, Math.floor(i / TILES), 1, 1);
      }
    });
  }

  reset();
  function reset() { update(); }
  const ask = question(host, payload.question);
  const secret = el("div", { class: "vw-stage vw-two vw-secret" },
    el("div", { class: "vw-column" }, plane.canvas, el("p", { class: "vw-hint" }, "Drag in the plane, or focus it and use the arrow keys.")),
    el("div", { class: "vw-column" }, tall.canvas, numbers));
  return { content: [ask, secret, el("div", { class: "vw-controls vw-secret" }, datasets, views, spaces), line], reset };
}

/** In words: which speeds the tiles have. */
function spread(speeds) {
  const step = (speed) => number(0.1 * speed / Math.SQRT2, 2); // a random direction has half of the summed squares
  return `A step of 0.1 in a random direction of z moves the picture by ${step(Math.min(...speeds))} to ${step(Math.max(...speeds))}, from the slowest to the fastest of these ${speeds.length} places (root of the mean over directions of the pixels' summed squares).`;
}

/** How fast the picture changes at z: the root of the summed squares of ∂p/∂z, by central differences. */
function speed(run, [z1, z2], by = 0.02) {
  let sum = 0;
  for (const [d1, d2] of [[by, 0], [0, by]]) {
    const up = run([z1 + d1, z2 + d2]).mean, down = run([z1 - d1, z2 - d2]).mean;
    for (let i = 0; i < up.length; i++) sum += ((up[i] - down[i]) / (2 * by)) ** 2;
  }
  return Math.sqrt(sum);
}
