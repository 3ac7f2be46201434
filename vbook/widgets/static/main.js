// Where a widget lives: in a built page (`boot`), or in a notebook through anywidget (`render`). Both give it the same host.
import { bytesOf, network } from "./runtime.js";
import { styles } from "./style.js";
import { button, el, palette } from "./ui.js";

/* global WIDGETS: every widget's function by its name, from vbook/widgets/bundle.py */

/** Calls back when the theme of page or notebook changes, until the signal. */
function watchTheme(callback, signal) {
  const watcher = new MutationObserver(callback), attributes = true;
  for (const node of [document.documentElement, document.body]) watcher.observe(node, { attributes });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", callback, { signal });
  signal.addEventListener("abort", () => watcher.disconnect());
}

/**
 * Starts the widget `name` in `root`; an error is shown in its place and the static picture stays. `payload.opening` has what the
 * page wants it to begin with, as a link would.
 */
function start(root, name, payload, place) {
  const live = el("div", { class: "vw-live" }), note = el("span", { class: "vw-hint", role: "status" }), themed = new Set();
  const opening = valuesOf(Object.entries(payload.opening ?? {}));
  let fetching = 0, fetched = false;
  const host = {
    root, payload, signal: place.signal, fits: {},
    state: { ...opening, ...place.state },
    async network(name) {
      const slow = setTimeout(() => { note.textContent = FETCHING; }, 500);
      fetching++;
      live.querySelector(".vw-lost")?.remove();
      try {
        const run = await place.network(name);
        fetched = true;
        return run;
      } finally {
        clearTimeout(slow);
        if (--fetching === 0 && note.textContent === FETCHING) note.textContent = "";
      }
    },
    /** One of several networks isn't to be had: the widget goes on with those that it has. */
    lost(error) { if (fetched) live.append(alerted(`Not loaded: ${error.message}.`, "vw-error vw-lost")); else fail(root, error); },
    colors: () => palette(root),
    onTheme(callback) { themed.add(callback); },
    fail: (error) => fail(root, error),
    save(changes) { Object.assign(host.state, changes); place.save?.(host.state); },
  };
  let api;
  const build = () => {
    const make = WIDGETS[name];
    if (!make) throw new Error(`there is no widget ${name}`);
    api = make(host);
    const odd = Object.entries(opening).filter(([key, value]) => !host.fits[key]?.(value));
    const tools = el("div", { class: "vw-tools" }, note);
    if (place.link) tools.append(button("Copy link", async () => { note.textContent = await place.link(host.state); }));
    tools.append(button("Reset", () => {
      const stay = ["asked", ...api.stay ?? []]; // where the reader is in the widget is not what is reset
      for (const key of Object.keys(host.state)) if (!stay.includes(key)) delete host.state[key];
      for (const [key, value] of Object.entries(opening)) if (!stay.includes(key)) host.state[key] = value;
      place.save?.(host.state);
      place.forget?.();
      api.reset();
    }));
    live.replaceChildren(el("div", { class: "vw-head" }, el("p", { class: "vw-title" }, payload.title), tools), ...api.content);
    for (const [key, value] of odd) live.append(alerted(`The page begins this with ${key}=${value}, which it doesn't have.`));
    root.append(live);
    root.classList.add("vw-on");
  };
  try {
    build();
    watchTheme(() => themed.forEach((callback) => callback()), place.signal);
  } catch (error) { fail(root, error); }
  return { state: () => host.state, restore(state) {
    host.state = { ...opening, ...state };
    if (state.asked) for (const one of [root, ...root.querySelectorAll(".vw-asking")]) one.classList.remove("vw-asking");
    api?.reset();
  } };
}

const alerted = (text, kind = "vw-error") => el("p", { class: kind, role: "alert" }, text);

function fail(root, error) {
  root.classList.remove("vw-on");
  root.querySelector(".vw-live")?.remove();
  root.querySelector(".vw-error")?.remove();
  root.append(alerted(`This widget doesn't work here: ${error.message}. The picture shows what it would.`));
}

// In a page: networks are scripts of the site, which also a page opened from disk may load.
const waiting = new Map(), FETCHING = "Fetching the network …";

function load(base, name, file) {
  if (!waiting.has(name)) {
    const asked = new Promise((resolve, reject) => {
      window.vbookNetworks ??= {};
      window.vbookNetwork = (key, spec, weights) => window.vbookNetworks[key]?.(spec, weights);
      window.vbookNetworks[name] = (spec, weights) => {
        try { resolve(network(spec, bytesOf(weights))); } catch (error) { reject(new Error(`the file ${file} can't be used, ${error.message}`)); }
      };
      const tag = el("script", { src: `${base}${file}`, onerror: () => reject(new Error(`the file ${file} can't be read`)) });
      tag.addEventListener("load", () => reject(new Error(`the file ${file} is damaged`))); // too late when it has resolved
      document.head.append(tag);
    });
    asked.catch(() => waiting.delete(name)); // asked again, it is tried again
    waiting.set(name, asked);
  }
  return waiting.get(name);
}

/** The state in the address, such as #latent-manifold?z1=0.5: for the widget with that id, else null. */
export function stateFor(id, hash) {
  const [name, query = ""] = hash.slice(1).split("?");
  if (name !== id || !query) return null;
  return valuesOf([...new URLSearchParams(query)]);
}

const valuesOf = (pairs) => Object.fromEntries(pairs.map(([key, text]) => [key, text !== "" && isFinite(text) ? Number(text) : text]));

function address(id, state) {
  const kept = Object.entries(state).filter(([key]) => key !== "asked").map(([key, value]) => [key, typeof value === "number" ? String(Number(value.toFixed(3))) : value]);
  return `#${id}?${new URLSearchParams(kept)}`;
}

/** Brings every widget of a built page to life when the reader comes near it. */
export function boot(base) {
  const drawing = "adoptedStyleSheets" in Document.prototype && typeof OffscreenCanvas === "function" && typeof ResizeObserver === "function";
  if (!drawing || !("at" in Array.prototype && "hasOwn" in Object)) return; // the picture stands in
  styles(document);
  const begin = new Map(), live = new Map(), nobody = new AbortController().signal;
  for (const root of document.querySelectorAll("[data-vbook-widget]")) {
    begin.set(root, () => {
      begin.delete(root);
      nearby.unobserve(root);
      let payload;
      try {
        payload = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
      } catch {
        return fail(root, new Error("its data are damaged"));
      }
      const given = stateFor(root.id, location.hash);
      const running = start(root, root.dataset.vbookWidget, payload, {
        signal: nobody,
        state: given ? { ...given, asked: 3 } : {}, // who sends a link wants it seen
        network: (name) => load(base, name, payload.networks[name]),
        async link(state) {
          try { history.replaceState(null, "", address(root.id, state)); } catch { return "This page has no address of its own."; }
          try {
            await navigator.clipboard.writeText(location.href);
            return "Copied.";
          } catch { return "It is in the address bar."; }
        },
        forget() { if (stateFor(root.id, location.hash)) history.replaceState(null, "", `#${root.id}`); }, // else a reload brings it back
      });
      live.set(root, running);
    });
  }
  const follow = () => {
    for (const root of document.querySelectorAll("[data-vbook-widget]")) {
      const state = stateFor(root.id, location.hash);
      if (!state) continue;
      if (begin.has(root)) begin.get(root)();
      else live.get(root)?.restore({ ...state, asked: 3 });
      root.scrollIntoView({ block: "center" });
    }
  };
  addEventListener("hashchange", follow);
  addEventListener("click", ({ target }) => { // the address doesn't change when a link is followed again
    const link = target.closest?.("a[href]");
    if (link?.hash && link.href === location.href) follow();
  });
  const nearby = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) begin.get(entry.target)?.();
  }, { rootMargin: "600px" });
  for (const [root, now] of [...begin]) {
    if (stateFor(root.id, location.hash)) { now(); root.scrollIntoView({ block: "center" }); } else nearby.observe(root);
  }
}

/** anywidget's entry: the same widget in JupyterLab and Colab, its state kept in the model's trait `state`. */
export function render({ model, el: place }) {
  styles(document);
  const gone = new AbortController(), payload = model.get("payload"), made = new Map();
  const root = el("div", { class: "vw", "data-vbook-widget": model.get("name") });
  place.append(root);
  const running = start(root, model.get("name"), payload, {
    signal: gone.signal,
    state: model.get("state"),
    network: async (name) => {
      const kept = model.get("networks")?.[name];
      if (!kept) throw new Error(`the network ${name} isn't in the notebook`);
      const { spec, weights } = kept;
      if (!made.has(name)) made.set(name, network(spec, new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)));
      return made.get(name);
    },
    save(state) { model.set("state", { ...state }); model.save_changes(); },
  });
  const changed = () => { if (JSON.stringify(model.get("state")) !== JSON.stringify(running.state())) running.restore(model.get("state")); };
  model.on("change:state", changed);
  return () => { model.off("change:state", changed); gone.abort(); };
}
