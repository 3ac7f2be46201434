// What a page does beyond HTML and CSS: it places provenance cards, previews equations and works, zooms figures, copies
// code and keeps every box that scrolls within reach of the keyboard. The page is readable without it.
"use strict";

function place(card, anchor) {
  const at = anchor.getBoundingClientRect(), gap = 8;
  card.style.inset = "0 auto auto 0";
  const width = card.offsetWidth, height = card.offsetHeight, room = document.documentElement.clientWidth;
  const left = Math.max(gap, Math.min(at.left + at.width / 2 - width / 2, room - width - gap));
  const above = at.top - height - gap;
  card.style.inset = `${above >= gap ? above : at.bottom + gap}px auto auto ${left}px`;
}

// Once the text is shown come the lists of contents and the theme's scripts, each a task of its own: all at once they would hold
// a slow phone up.
requestAnimationFrame(() => setTimeout(() => {
  document.documentElement.dataset.shown = "";
  for (const { href } of document.querySelectorAll("link.vbook-later")) {
    const script = document.createElement("script");
    script.async = false; // in their order
    script.src = href;
    document.body.append(script);
  }
}));

// One card at a time is open: it stays beside its anchor while the page scrolls (a step of the Tab key scrolls too) until that
// leaves the screen, while the pointer is on the anchor or on the card itself, and until the Escape key.
const LINGER = 250; // ms that a pointer has from the anchor to the card
let card = null;
function open(element, anchor, close) {
  if (card?.element !== element) card?.close();
  card = { element, anchor, close };
  place(element, anchor);
}
function shut() {
  card?.close();
  card = null;
}
function leave() {
  const left = card;
  setTimeout(() => {
    if (card && card === left && ![card.element, card.anchor].some((one) => one.matches(":hover")) && document.activeElement !== card.anchor) shut();
  }, LINGER);
}
document.addEventListener("scroll", () => {
  const at = card?.anchor.getBoundingClientRect();
  if (at && (at.bottom < 0 || at.top > document.documentElement.clientHeight)) shut();
  else if (at) place(card.element, card.anchor);
}, { passive: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") shut(); });

// Numbers: the card is in the page already, it is only moved to where it is read; out of its section, which would clip it.
for (const number of document.querySelectorAll(".vbook-number")) {
  const tip = document.getElementById(number.getAttribute("aria-describedby"));
  const show = () => {
    if (tip.parentNode !== document.body) { document.body.append(tip); tip.addEventListener("mouseleave", leave); }
    tip.classList.add("open");
    open(tip, number, () => tip.classList.remove("open"));
  };
  number.addEventListener("mouseenter", show);
  number.addEventListener("focus", show);
  number.addEventListener("mouseleave", leave);
  number.addEventListener("blur", leave);
}

// Equations, works and terms: what a link points to, on this page or (as a template that the build left) on another.
function targetOf(link) {
  const href = link.getAttribute("href");
  if (href.startsWith("#")) return document.getElementById(href.slice(1))?.querySelector(".vbook-eq-math")?.cloneNode(true);
  return document.querySelector(`template[data-preview="${CSS.escape(href)}"]`)?.content.cloneNode(true);
}
for (const link of document.querySelectorAll("a.vbook-eqref, a.vbook-cite, a.vbook-term")) {
  let timer = 0;
  const show = () => {
    const target = card?.anchor === link ? null : targetOf(link);
    if (!target) return;
    const preview = document.createElement("div");
    preview.className = "vbook-preview";
    preview.setAttribute("aria-hidden", "true");
    preview.append(target);
    preview.addEventListener("mouseleave", leave);
    document.body.append(preview);
    open(preview, link, () => preview.remove());
  };
  link.addEventListener("mouseenter", () => { timer = setTimeout(show, 120); });
  link.addEventListener("mouseleave", () => { clearTimeout(timer); leave(); });
  link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(); });
  link.addEventListener("blur", leave);
  // A finger can't point: its first tap shows, its second goes there.
  link.addEventListener("click", (event) => {
    clearTimeout(timer);
    if (card?.anchor === link || !matchMedia("(hover: none)").matches) return shut();
    show();
    if (card?.anchor === link) event.preventDefault();
  });
}
document.addEventListener("click", ({ target }) => { if (card && !card.element.contains(target) && !card.anchor.contains(target)) shut(); });

// Figures: a click opens the picture in its full size; without this script the link does.
for (const link of document.querySelectorAll("a.vbook-zoom")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const box = document.createElement("dialog");
    const tone = link.closest(".vbook-figure")?.className ?? "";
    box.className = `vbook-lightbox ${tone.replace("vbook-figure", "")}`;
    box.setAttribute("aria-label", "Figure at full size");
    const button = document.createElement("button");
    button.textContent = "Close";
    box.append(button, link.querySelector("img").cloneNode());
    box.addEventListener("click", () => box.close());
    box.addEventListener("keydown", (key) => { if (key.key === "Escape") box.close(); });
    box.addEventListener("close", () => { box.remove(); link.focus(); });
    document.body.append(box);
    box.showModal();
  });
}

// A box whose content is wider than itself can be reached with the Tab key, another is not a stop on the way. Only boxes near the
// screen are measured: to measure one that is far away would lay out all that is skipped before it.
const near = new Set();
function reach() {
  const boxes = [...near], wide = boxes.map((box) => box.scrollWidth > box.clientWidth + 1); // all are read before one is written: one layout
  boxes.forEach((box, k) => {
    box.classList.toggle("scrolls", wide[k]);
    if (wide[k] === (box.tabIndex === 0)) return;
    if (wide[k]) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
}
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) near.add(target); else near.delete(target);
  reach();
}, { rootMargin: "50% 0px" });
for (const box of document.querySelectorAll(".vbook-eq-math, .pst-scrollable-table-container, .cell_output .output, .cell_output .output pre, .highlight pre")) {
  box.tabIndex = 0; // until it is measured
  watcher.observe(box);
}
new ResizeObserver(reach).observe(document.body);
document.fonts?.addEventListener("loadingdone", reach);

// Code: a button that copies it, made when the cell comes near the screen, for to make all of them takes a long page a while.
const code = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) { code.unobserve(target); addCopyButton(target); }
}, { rootMargin: "50% 0px" });
for (const box of document.querySelectorAll("div.highlight")) if (!box.closest(".cell_output")) code.observe(box);
function addCopyButton(box) {
  const button = document.createElement("button");
  const say = (done) => { button.setAttribute("aria-label", done ? "Copied" : "Copy this code"); button.classList.toggle("done", done); };
  button.type = "button";
  button.className = "copybtn";
  say(false);
  button.addEventListener("click", async () => {
    const text = box.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      say(true);
      setTimeout(say, 2000, false);
    } catch { getSelection().selectAllChildren(text); } // not allowed here: the reader copies what is marked
  });
  box.append(button);
}

// The list of contents follows the reader, and as a drawer it makes way for what was chosen in it. Only sections beside the one
// that is read are measured: to measure inside one that is far away would lay it out.
const contents = document.querySelector(".bd-sidebar-secondary");
const entries = new Map([...(contents?.querySelectorAll("a[href^='#']") ?? [])].map((link) => [link.hash.slice(1), link]));
let marked = null;
function follow() {
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2, line = atEnd ? innerHeight : 110;
  let place = document.querySelector(".bd-article > section"), entry = null;
  while (place) {
    entry = entries.get(place.id) ?? entry;
    place = [...place.querySelectorAll(":scope > section")].filter((one) => one.getBoundingClientRect().top <= line).at(-1);
  }
  if (entry === marked) return;
  for (const one of [marked, entry]) one?.classList.toggle("active", one === entry);
  for (const one of contents.querySelectorAll(".toc-entry")) one.classList.toggle("active", one.contains(entry)); // its inner list shows
  marked?.removeAttribute("aria-current");
  marked = entry;
  if (!entry) return;
  entry.setAttribute("aria-current", "true");
  const [at, view] = [entry.getBoundingClientRect(), contents.getBoundingClientRect()];
  contents.scrollTop += Math.min(0, at.top - view.top - 40) + Math.max(0, at.bottom - view.bottom + 40);
}
if (entries.size) {
  let asked = false;
  const soon = () => {
    if (!asked) requestAnimationFrame(() => { asked = false; follow(); });
    asked = true;
  };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("load", soon);
}
document.addEventListener("click", ({ target }) => { if (target.closest("a[href*='#']")) target.closest("dialog[open]:not(.vbook-lightbox)")?.close(); });

// The search, in its dialog and on its page: what it needs comes when the reader turns to it. Without it, the form leads to the page.
function fetchScript(name) {
  const script = document.createElement("script");
  script.src = `${document.documentElement.dataset.content_root ?? "./"}_static/${name}`;
  document.head.append(script);
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => { script.remove(); reject(new Error(`${name} could not be loaded`)); });
  });
}
async function searchWith(input, box) {
  try {
    for (const name of ["minisearch.js", "stemmer.js", "vbook-places.js", "vbook-search.js"]) {
      if (!document.querySelector(`script[src$="_static/${name}"]`)) await fetchScript(name);
    }
    vbookSearch.connect(input, box);
  } catch {
    const said = Object.assign(document.createElement("p"), { role: "status", className: "vbook-hits-status" });
    box.replaceChildren(said);
    said.textContent = "The search could not be loaded. Is the network there?";
    input.addEventListener("input", () => searchWith(input, box), { once: true }); // tries again
  }
}
const dialog = document.getElementById("pst-search-dialog"), results = document.getElementById("search-results");
if (dialog) {
  const field = dialog.querySelector("input[type=search]"), box = document.createElement("div");
  dialog.setAttribute("aria-label", "Search");
  box.className = "vbook-hits-box";
  dialog.append(box);
  const close = Object.assign(document.createElement("button"), { type: "button", className: "vbook-search-close", textContent: "Close" });
  close.addEventListener("click", () => dialog.close()); // where there is no Esc
  field.form.append(close);
  field.addEventListener("focus", () => searchWith(field, box), { once: true });
}
if (results) {
  const field = results.parentElement.querySelector("input[type=search]");
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  results.addEventListener("vbook-searched", ({ detail }) => {
    const address = new URL(location.href);
    address.searchParams.set("q", detail);
    if (location.protocol !== "file:") history.replaceState(null, "", address);
  });
  searchWith(field, results);
  field.focus();
  // Here the keys that open the dialog elsewhere go to the field.
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    field.focus();
    field.select();
  }, { capture: true });
}

// Results: what a reader wants to see of the reported numbers.
for (const form of document.querySelectorAll("form.vbook-filter")) {
  const items = [...form.parentElement.querySelectorAll("tr[class*='verdict-'], .vbook-group")];
  const choose = () => {
    const wanted = [...new FormData(form).values()].filter(Boolean);
    for (const item of items) item.hidden = !wanted.every((name) => item.classList.contains(name));
    const rows = items.filter((item) => !item.hidden && item.matches("tr")).length;
    const tables = items.filter((item) => !item.hidden && item.matches(".vbook-group") && item.querySelector("details")).length;
    form.querySelector("output").textContent = wanted.length ? `${rows} measured, ${tables} table${tables === 1 ? "" : "s"} of the sources` : "";
  };
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  choose();
}

// A link into something folded unfolds it. What stands before its target is laid out only when it comes near, and moves it: we go
// after it until it stands still, or the reader goes elsewhere.
let going = 0;
function arrive() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
  if (!target) return;
  for (let outer = target.closest("details:not([open])"); outer; outer = outer.parentElement?.closest("details")) outer.open = true;
  const mine = ++going;
  let still = 0, frames = 0, before = NaN;
  const step = () => {
    if (mine !== going) return;
    target.scrollIntoView({ behavior: "instant" });
    const { top } = target.getBoundingClientRect();
    still = Math.abs(top - before) < 1 ? still + 1 : 0;
    before = top;
    if (still < 12 && ++frames < 120) requestAnimationFrame(step);
  };
  step();
}
for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(name, () => { going += 1; }, { passive: true, capture: true });
addEventListener("hashchange", arrive);
document.addEventListener("click", ({ target }) => { if (location.hash && target.closest("a")?.getAttribute("href") === location.hash) setTimeout(arrive); });
arrive();
const began = going;
addEventListener("load", () => { if (going === began) arrive(); }, { once: true });
