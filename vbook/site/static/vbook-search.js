// The search: each section, folded block, equation, figure, algorithm, exercise, symbol, term, function and cited work is a place of its
// own, found by MiniSearch in the reader's browser. It needs no server and runs from disk too. `vbook.site.search` writes what it reads.
"use strict";

const vbookSearch = (() => {
  const NUMBER = /^\p{N}+[a-z]?(?:\.[\p{L}\p{N}]+)*$/u; // of an equation or a section: found as it is or not at all
  // 2,000; A2; 2.10 and 2.D.1; a Greek letter; a word
  const WORD = /\p{N}{1,3}(?:,\p{N}{3})+(?!\p{N})|(?<![\p{L}\p{N}])\p{L}\p{Nd}+(?![\p{L}\p{N}.])|\p{N}+\p{L}?(?:\.[\p{L}\p{N}]+)*|\p{Script=Greek}|(?:(?!\p{Script=Greek})[\p{L}\p{M}])+/gu;
  const SHORT = new Map(Object.entries({ eq: "equation", eqs: "equation", eqn: "equation", sec: "section", appendix: "section", appendices: "section", app: "section", fig: "figure", figs: "figure", alg: "algorithm", ex: "exercise", ch: "chapter" }));
  const EMPTY = new Set("a an and are as at be by do does et al for from how i in into is it its no not of on or that the their this to was with what".split(" "));
  const WEIGHT = { symbol: 1.2, term: 1.8, section: 1, fold: 0.8, function: 0.7, figure: 0.7, algorithm: 0.8, exercise: 0.8, equation: 0.6, work: 0.6 };
  const NAMES = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon phi chi psi omega".split(" ");
  const LETTERS = new Map([..."αβγδεζηθικλμνξοπρςστυφχψω"].map((letter, k) => [letter, NAMES[k]]));
  const EXAMPLES = ["reparameterization", "equation 2.10", "posterior collapse", "iwae", "Burda 2016"];
  const SHOWN = 20, AROUND = 90, LONGEST = 200; // results at a time; characters to either side of what was found, and to ask with
  const root = document.documentElement.dataset.content_root ?? "./";

  const tokens = (text) => text.replace(/(?<=\p{L})['’]s(?!\p{L})/gu, "").match(WORD) ?? [];
  // In texts a word with a hyphen is found without it, too
  const joined = (text) => (text.match(/\p{L}+(?:[-–]\p{L}+)+/gu) ?? []).map((word) => word.replace(/[-–]/g, ""));
  const indexed = (text, field) => (field === "text" ? [...tokens(text), ...joined(text)] : tokens(text));
  // Without case and accents, a Greek letter by its name
  const bare = (word) => {
    const plain = word.normalize("NFKD").replace(/\p{M}|(?<=\p{N}),(?=\p{N})/gu, "").toLowerCase();
    return LETTERS.get(plain) ?? plain;
  };
  // One form for a word's forms: endings as in America, and then its stem
  const term = (word) => {
    const plain = bare(word);
    if (EMPTY.has(plain)) return null;
    if (plain.length < 4 || /\p{N}/u.test(plain)) return SHORT.has(plain) ? stem(SHORT.get(plain)) : plain;
    const one = plain.replace(/is(e[drs]?|ing|ations?)$/, "iz$1").replace(/yse(?=[drs]?$)/, "yze").replace(/ysing$/, "yzing").replace(/our(?=s?$)/, "or").replace(/ll(?=ing$|e[drs]*$)/, "l");
    return stem(SHORT.get(one) ?? one);
  };
  // A place has a word as its stem and as it is, which a reader's half of it may begin
  const forms = (word) => {
    const one = term(word), plain = bare(word);
    return one === null ? null : one === plain || NUMBER.test(plain) ? one : [one, plain];
  };

  const { pages, places } = globalThis.vbookPlaces;
  const index = new MiniSearch({
    fields: ["label", "title", "names", "authors", "kind", "text", "formula", "code"],
    idField: "id",
    tokenize: indexed,
    processTerm: forms,
    searchOptions: {
      tokenize: tokens,
      processTerm: term,
      boost: { label: 8, title: 4, names: 6, authors: 2, kind: 0.2, formula: 0.5, code: 0.3 },
      combineWith: "AND",
      prefix: (word) => word.length > 1 && !NUMBER.test(word),
      weights: { prefix: 0.5, fuzzy: 0.2 },
      boostDocument: (id) => WEIGHT[places[id].kind],
    },
  });
  // In small parts, so that the page answers meanwhile
  const ready = index.addAllAsync(places.map((one, id) => ({ ...one, id })), { chunkSize: 8 });

  const KINDS = new Map(Object.keys(WEIGHT).map((kind) => [term(kind), kind]));
  const fuzzy = (word) => (word.length > 3 && !NUMBER.test(word) ? 1 + (word.length > 7) : false); // letters that may be wrong

  // All words as they are, else with letters wrong, else some of them; and what to say of it
  function find(wanted) {
    const words = tokens(wanted).filter((word) => term(word) !== null), options = { boostDocument: preference(wanted) };
    if (!words.length) return { hits: [], said: tokens(wanted).length ? "Words such as these are in every place: ask for others." : "Nothing found." };
    for (const more of [{}, { fuzzy }, { fuzzy, combineWith: "OR" }]) {
      const hits = index.search(wanted, { ...options, ...more });
      if (!hits.length) continue;
      const count = `${hits.length} place${hits.length === 1 ? "" : "s"}`;
      if (!more.fuzzy) return { hits, said: `${count}:` };
      if (!more.combineWith || words.length === 1) return { hits, said: `No place says it so; ${count} with words like ${words.length === 1 ? "it" : "these"}:` };
      const matched = new Map(hits.map((hit) => [hit, new Set(hit.queryTerms).size])); // most of the words first
      return { hits: hits.sort((one, other) => matched.get(other) - matched.get(one)), said: `No place has all of these words; ${count} with some of them:` };
    }
    return { hits: [], said: "Nothing found." };
  }

  // Who asks for figure 2.1 means the figure, not section 2.1
  function preference(wanted) {
    const words = tokens(wanted).map(term), kind = words.some((word) => NUMBER.test(word)) && words.map((word) => KINDS.get(word)).find(Boolean);
    return (id) => WEIGHT[places[id].kind] * (places[id].kind === kind ? 4 : 1);
  }

  function element(name, content = [], attributes = {}) {
    const made = document.createElement(name);
    made.append(...[content].flat());
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  const has = (found, word) => [forms(word)].flat().some((form) => found.has(form));

  // The part of a text in which most of the terms are, with these marked
  function excerpt(text, found) {
    const hits = [...text.matchAll(WORD)].filter(([word]) => has(found, word));
    if (!hits.length) return null;
    let best = { from: 0, to: 0, score: -1 };
    for (const { 0: word, index: from } of hits) {
      const score = new Set(hits.filter(({ index: at }) => at >= from && at < from + 2 * AROUND).map(([word]) => term(word))).size;
      if (score > best.score) best = { from, to: from + word.length, score };
    }
    let start = text.length <= 2 * AROUND ? 0 : Math.max(0, best.from - AROUND / 2);
    if (start) start = text.indexOf(" ", start) + 1;
    let end = Math.min(text.length, start + 2.5 * AROUND);
    if (end < text.length) end = Math.max(text.lastIndexOf(" ", end), best.to);
    const parts = [start ? "… " : ""];
    let at = start;
    for (const { 0: word, index: from } of hits) {
      if (from < at || from + word.length > end) continue;
      parts.push(text.slice(at, from), element("mark", word));
      at = from + word.length;
    }
    return [...parts, text.slice(at, end), end < text.length ? " …" : ""];
  }

  function shown(hit) {
    const one = places[hit.id], [file, page] = pages[one.page], found = new Set(hit.terms);
    const title = element("a", marked(one.title, found), { href: `${root}${file}#${one.at}` });
    const item = element("li", [title]);
    if (one.title !== page) item.append(element("span", page, { class: "vbook-hit-page" }));
    const count = (text) => new Set(tokens(text).filter((word) => has(found, word)).map(term)).size;
    const line = (one.code ?? "").split("\n").reduce((best, row) => (count(row) > count(best) ? row : best), "");
    const said = excerpt(one.text ?? "", found);
    if (count(line) > Math.max(count(one.title), count(one.text ?? ""))) item.append(element("p", element("code", line.trim())));
    else if (said || one.text) item.append(element("p", said ?? [one.text.slice(0, 2 * AROUND), one.text.length > 2 * AROUND ? " …" : ""]));
    if (one.kind === "equation") item.append(element("span", one.formula, { class: "visually-hidden" }), equation(`${file}#${one.at}`, one.formula));
    return item;
  }

  function marked(text, found) {
    const parts = [];
    let at = 0;
    for (const { 0: word, index: from } of text.matchAll(WORD)) {
      if (!has(found, word)) continue;
      parts.push(text.slice(at, from), element("mark", word));
      at = from + word.length;
    }
    return [...parts, text.slice(at)];
  }

  // Typeset equations are many bytes: fetched when the first is shown
  let typeset = null;
  function equation(address, formula) {
    const box = element("div", formula, { class: "vbook-hit-equation", "aria-hidden": "true" });
    typeset ??= fetchScript("vbook-equations.js");
    typeset.then(() => { box.innerHTML = globalThis.vbookEquations[address]; }, () => { typeset = null; }); // the next one tries again
    return box;
  }

  function connect(input, box) {
    input.maxLength = LONGEST;
    input.value = input.value.slice(0, LONGEST);
    const status = element("p", [], { role: "status", class: "vbook-hits-status" });
    const list = element("ol", [], { class: "vbook-hits" });
    const more = element("button", "More results", { type: "button", class: "vbook-hits-more", hidden: "" });
    const examples = element("p", ["For example: ", ...EXAMPLES.map((words) => element("button", words, { type: "button" }))], { class: "vbook-hits-examples" });
    box.replaceChildren(status, examples, list, more);
    let timer = 0, asked = null, running = null, hits = [];

    async function search() {
      const wanted = input.value.trim();
      if (wanted === asked) return;
      delete status.dataset.asked;
      asked = wanted;
      examples.hidden = Boolean(wanted);
      list.replaceChildren();
      more.hidden = true;
      status.textContent = wanted ? "Reading the book …" : "";
      await ready;
      if (wanted !== asked) return;
      const answer = find(wanted);
      hits = answer.hits;
      status.textContent = wanted ? answer.said : "";
      box.dispatchEvent(new CustomEvent("vbook-searched", { detail: wanted }));
      add();
      status.dataset.asked = wanted;
    }
    function add() {
      const from = list.children.length;
      list.append(...hits.slice(from, from + SHOWN).map(shown));
      more.hidden = list.children.length >= hits.length;
      return list.children[from];
    }
    more.addEventListener("click", () => add()?.querySelector("a").focus());
    examples.addEventListener("click", ({ target }) => {
      if (!target.matches("button")) return;
      input.value = target.textContent;
      input.focus();
      settle();
    });
    // At once where somebody already turns to the results: they must not be replaced under the reader's hands
    function settle() {
      clearTimeout(timer);
      if (input.value.trim() !== asked) running = search();
      return running;
    }
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(settle, 120); });
    // The arrow keys go from the field through the results.
    const around = input.closest("dialog, article") ?? document;
    around.addEventListener("keydown", async (event) => {
      const stops = () => [input, ...list.querySelectorAll("li > a")], at = stops().indexOf(document.activeElement);
      if (!["ArrowDown", "ArrowUp"].includes(event.key) || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey || at < 0) return;
      event.preventDefault();
      await settle();
      stops()[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    });
    settle();
  }

  return { connect, ready };
})();
