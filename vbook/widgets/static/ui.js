// What every widget is made of: elements, drawing surfaces, controls, a small plot. No styles here: they are in style.js.

const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** An element with attributes, listeners (on…) and children; text is never parsed as HTML. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

let serial = 0;
/** An id that no other element of the page has. */
export const newId = (stem) => `vw-${stem}-${++serial}`;

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
/** A number as text, with a true minus sign. */
export const number = (value, digits = 2) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};

/** Colours of the theme that the page has now, as CSS texts by name, and `dark`. */
export function palette(root) {
  const style = getComputedStyle(root);
  const get = (name) => style.getPropertyValue(`--w-${name}`).trim();
  const names = ["ink", "muted", "paper", "raised", "line", "blue", "vermillion", "orange", "green", "purple"];
  return Object.fromEntries(names.map((name) => [name, get(name)]));
}

const rgb = new Map();
/** Red, green and blue, 0 to 255, of a CSS colour. */
export function channels(color) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color); // read back from a canvas, where a browser lets nobody do so, it would be white
  if (hex) return hex.slice(1).map((part) => parseInt(part, 16));
  if (!rgb.has(color)) {
    const ctx = new OffscreenCanvas(1, 1).getContext("2d");
    ctx.fillStyle = color;
    ctx.fillRect(0, 0, 1, 1);
    rgb.set(color, [...ctx.getImageData(0, 0, 1, 1).data.slice(0, 3)]);
  }
  return rgb.get(color);
}

/**
 * A canvas of `width` by `height` units, sharp on every screen and as wide as its place allows. `draw(ctx)` paints it
 * in those units; `surface.redraw()` asks for a painting before the next frame.
 */
export function surface(host, { width, height, label, draw, interactive = false, className = "" }) {
  const canvas = el("canvas", { role: interactive ? "application" : "img", "aria-label": label, tabindex: interactive ? 0 : null, class: `vw-canvas ${className}` });
  canvas.style.maxWidth = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const ctx = canvas.getContext("2d");
  let asked = 0;
  const paint = () => {
    asked = 0;
    try { fill(); } catch (error) { host.fail(error); }
  };
  const fill = () => {
    made.px = clamp(width / (canvas.clientWidth || width), 1, 2);
    const scale = Math.min(3, Math.max(1, (canvas.clientWidth || width) / width) * (devicePixelRatio || 1));
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    ctx.setTransform(w / width, 0, 0, h / height, 0, 0);
    ctx.clearRect(0, 0, width, height);
    draw(ctx, made);
  };
  const made = {
    canvas, ctx, width, height,
    px: 1, // units that a pixel of the page takes: letters are `font(13, on.px)`, so that they stay readable on a phone
    redraw() { asked ||= requestAnimationFrame(paint); },
    label(text) { canvas.setAttribute("aria-label", text); },
    /** Where an event is, in the canvas's units. */
    at(event) {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * width, (event.clientY - box.top) / box.height * height];
    },
  };
  host.onTheme(made.redraw);
  const watcher = new ResizeObserver(made.redraw);
  watcher.observe(canvas);
  host.signal.addEventListener("abort", () => { watcher.disconnect(); cancelAnimationFrame(asked); });
  made.redraw();
  return made;
}

/** A getter of those entries of the state that fit, else of `start`: a link may hold anything. The host learns what fits. */
export function reader(host, start, fits) {
  host.fits = { ...host.fits, ...fits };
  return (key) => (fits[key](host.state[key]) ? host.state[key] : start[key]);
}
export const between = (low, high) => (value) => typeof value === "number" && value >= low && value <= high;
export const oneOf = (options) => (key) => Object.hasOwn(options, key);

/** The font of letters on canvases, `size` pixels of the page high. */
export const font = (size, px = 1) => `${size * px}px system-ui, sans-serif`;

/** Press, drag, release on a surface, by mouse, pen or finger: `move(x, y, "down" | "move" | "up")`. */
export function draggable(on, move) {
  const { canvas } = on;
  let held = null;
  canvas.classList.add("vw-draggable");
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = event.pointerId;
    canvas.setPointerCapture(held);
    move(...on.at(event), "down");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== held) return;
    for (const each of event.getCoalescedEvents?.().slice(0, -1) ?? []) move(...on.at(each), "between");
    move(...on.at(event), "move");
  });
  const end = (event) => {
    if (event.pointerId !== held) return;
    held = null;
    move(...on.at(event), "up");
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}

/** Arrow keys on a surface: `move(dx, dy)` in steps of one, of five with Shift. */
export function arrows(on, move) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  on.canvas.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const by = event.shiftKey ? 5 : 1;
    move(by * step[0], by * step[1]);
  });
}

/** A labelled slider; `.set(value)` moves it without a call of `input`. */
export function slider({ label, min, max, step, value, format = (v) => number(v), input }) {
  const id = newId("slider"), shown = el("output", { for: id });
  const range = el("input", { type: "range", id, min, max, step, value, oninput: () => { show(); input(Number(range.value)); } });
  const show = () => { shown.textContent = format(Number(range.value)); range.setAttribute("aria-valuetext", shown.textContent); };
  show();
  const row = el("div", { class: "vw-slider" }, el("label", { for: id }, label), shown, range);
  return Object.assign(row, { set(v) { range.value = v; show(); }, get: () => Number(range.value), enable(on) { range.disabled = !on; } });
}

/** One of several options, {value: text}, as radio buttons in a row; `.set(value)` moves it without a call of `change`. */
export function choice({ label, options, value, change }) {
  const name = newId("choice");
  const buttons = Object.entries(options).map(([key, text]) => {
    const button = el("input", { type: "radio", name, id: newId("option"), value: key, checked: key === String(value), onchange: () => change(key) });
    return [key, button, el("label", { for: button.id }, text)];
  });
  const row = el("fieldset", { class: "vw-choice" }, el("legend", {}, label), ...buttons.flatMap(([, button, text]) => [button, text]));
  return Object.assign(row, { set(v) { for (const [key, button] of buttons) button.checked = key === String(v); } });
}

export const button = (text, press, attributes = {}) => el("button", { type: "button", class: "vw-button", onclick: press, ...attributes }, text);

/** A switch with a label: `change(on)`. */
export function toggle({ label, value, change }) {
  const id = newId("toggle"), box = el("input", { type: "checkbox", id, checked: value, onchange: () => change(box.checked) });
  return Object.assign(el("div", { class: "vw-toggle" }, box, el("label", { for: id }, label)), { set(v) { box.checked = v; } });
}

/** A sentence that screen readers hear when it changes, at most twice a second. */
export function status(host) {
  const line = el("p", { class: "vw-status", role: "status", "aria-live": "polite" });
  let timer = 0, next = "";
  host.signal.addEventListener("abort", () => clearTimeout(timer));
  return Object.assign(line, {
    say(text) {
      next = text;
      timer ||= setTimeout(() => { timer = 0; if (line.textContent !== next) line.textContent = next; }, line.textContent ? 500 : 0);
    },
  });
}

/**
 * A question to answer before the widget shows: {text, options: [{text, right, reply}]}. What has the class
 * `vw-secret` stays covered until the reader has chosen or skipped. A page may ask nothing: then nothing is covered.
 */
export function question(host, words) {
  if (!words) return "";
  const { text, options } = words;
  const reply = el("p", { class: "vw-reply", role: "status", "aria-live": "polite" });
  const reveal = () => { host.root.classList.remove("vw-asking"); host.save({ asked: 1 }); };
  const buttons = options.map((option) => button(option.text, () => {
    for (const other of buttons) other.removeAttribute("aria-pressed");
    buttons[options.indexOf(option)].setAttribute("aria-pressed", "true");
    reply.textContent = `${option.right ? "Yes." : "No."} ${option.reply}`;
    reply.classList.toggle("vw-right", Boolean(option.right));
    reveal();
  }));
  const skip = button("Just show me", reveal, { class: "vw-button vw-quiet" });
  if (!host.state.asked) host.root.classList.add("vw-asking");
  return el("div", { class: "vw-question" }, el("p", {}, text), el("div", { class: "vw-answers" }, ...buttons, skip), reply);
}

/** Work in slices of a few milliseconds, so that the page stays responsive: `step(i)` for i = 0 … count − 1, then `done()`. */
export function inSlices(count, step, done, signal) {
  let i = 0, stopped = false;
  const channel = new MessageChannel();
  const stop = () => { stopped = true; channel.port1.close(); };
  signal?.addEventListener("abort", stop);
  channel.port1.onmessage = () => {
    const start = performance.now();
    while (i < count && performance.now() - start < 8) step(i++);
    if (stopped) return;
    if (i < count) channel.port2.postMessage(0);
    else { channel.port1.close(); done(); }
  };
  channel.port2.postMessage(0);
  return stop;
}

/** `frame(seconds since the last)` on each animation frame while `play()` is on. */
export function animation(host, frame) {
  let asked = 0, last = 0;
  const tick = (now) => {
    const passed = last ? Math.min(0.1, (now - last) / 1000) : 1 / 60;
    last = now;
    asked = requestAnimationFrame(tick);
    frame(passed);
  };
  const made = {
    get playing() { return asked !== 0; },
    play() { if (!asked) { last = 0; asked = requestAnimationFrame(tick); } },
    stop() { cancelAnimationFrame(asked); asked = 0; },
  };
  host.signal.addEventListener("abort", made.stop);
  return made;
}

export { reduced };

/** Intensities in [0, 1], row by row, as an image's data: ink on paper, or shades of grey. */
export function imageOf(values, width, height, colors, ink = true) {
  const [r0, g0, b0] = ink ? channels(colors.paper) : [0, 0, 0], [r1, g1, b1] = ink ? channels(colors.ink) : [255, 255, 255];
  const image = new ImageData(width, height), data = image.data;
  for (let i = 0, at = 0; i < width * height; i++, at += 4) {
    const v = values[i];
    data[at] = r0 + v * (r1 - r0);
    data[at + 1] = g0 + v * (g1 - g0);
    data[at + 2] = b0 + v * (b1 - b0);
    data[at + 3] = 255;
  }
  return image;
}

/** The same as a picture to paint into a box of a canvas. */
export function pictureOf(values, width, height, colors, ink = true) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(imageOf(values, width, height, colors, ink), 0, 0);
  return canvas;
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count, base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * base).find((s) => s >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return { at: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/**
 * Axes in the box [x, y, width, height] of a surface over `xs` and `ys` ([low, high] each). Gives the maps `x`, `y` from data to
 * canvas and back (`fromX`, `fromY`), `axes(ctx, colors, {xLabel, yLabel})`, and `line(ctx, points, style)`.
 */
export function plot([left, top, width, height], xs, ys) {
  const x = (v) => left + (v - xs[0]) / (xs[1] - xs[0]) * width;
  const y = (v) => top + height - (v - ys[0]) / (ys[1] - ys[0]) * height;
  return {
    x, y,
    fromX: (px) => xs[0] + (px - left) / width * (xs[1] - xs[0]),
    fromY: (py) => ys[0] + (top + height - py) / height * (ys[1] - ys[0]),
    axes(ctx, colors, { xLabel = "", yLabel = "", xTicks = 5, yTicks = 5, px = 1 } = {}) {
      ctx.save();
      ctx.font = font(12.5, px);
      ctx.strokeStyle = colors.line;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(left, top);
      ctx.lineTo(left, top + height);
      ctx.lineTo(left + width, top + height);
      ctx.stroke();
      ctx.fillStyle = colors.muted;
      if (xTicks) {
        const marks = ticks(xs[0], xs[1], xTicks / px);
        ctx.textAlign = "center";
        ctx.textBaseline = "top";
        for (const v of marks.at) ctx.fillText(number(v, marks.digits), x(v), top + height + 5);
      }
      let highest = top + height;
      if (yTicks) {
        const marks = ticks(ys[0], ys[1], yTicks / px);
        ctx.textAlign = "right";
        ctx.textBaseline = "middle";
        for (const v of marks.at) ctx.fillText(number(v, marks.digits), left - 5, y(v));
        highest = y(marks.at.at(-1));
      }
      ctx.fillStyle = colors.ink;
      ctx.textAlign = "right";
      ctx.textBaseline = "top";
      ctx.fillText(xLabel, left + width, top + height + 5 + 15 * px);
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      const bottom = Math.max(top - 5 - 4 * px, 17 * px); // large letters on a phone: not over the edge, nor over the highest tick
      const from = highest - 7 * px < bottom ? left : Math.max(2, left - 40);
      ctx.fillText(yLabel, from, bottom, left + width - from);
      ctx.restore();
    },
    line(ctx, points, { color, width: thick = 2, dash = [], fill = null }) {
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, top - 1, width, height + 2);
      ctx.clip();
      ctx.beginPath();
      points.forEach(([a, b], i) => (i ? ctx.lineTo(x(a), y(b)) : ctx.moveTo(x(a), y(b))));
      if (fill) {
        ctx.save();
        ctx.lineTo(x(points.at(-1)[0]), y(Math.max(0, ys[0])));
        ctx.lineTo(x(points[0][0]), y(Math.max(0, ys[0])));
        ctx.globalAlpha = 0.15;
        ctx.fillStyle = fill;
        ctx.fill();
        ctx.restore();
        ctx.beginPath();
        points.forEach(([a, b], i) => (i ? ctx.lineTo(x(a), y(b)) : ctx.moveTo(x(a), y(b))));
      }
      ctx.setLineDash(dash);
      ctx.lineWidth = thick;
      ctx.lineJoin = "round";
      ctx.strokeStyle = color;
      ctx.stroke();
      ctx.restore();
    },
  };
}
