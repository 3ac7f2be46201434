// Typesets formulas without a browser: reads {"module", "formulas": [{tex, display}]} as JSON from standard input and
// writes, per formula, {html, rules} or {error}. `rules` are the style rules that this formula needs.
import { readFileSync } from "node:fs";

const request = JSON.parse(readFileSync(0, "utf8"));
const { default: MathJax } = await import(request.module);

const packages = ["base", "ams", "newcommand", "boldsymbol", "mathtools"];
await MathJax.init({
  loader: {
    load: ["input/tex-base", "[tex]/ams", "[tex]/newcommand", "[tex]/boldsymbol", "[tex]/mathtools",
      "output/chtml", "adaptors/liteDOM", "a11y/assistive-mml"],
  },
  tex: { packages, tags: "none", formatError: (jax, error) => { throw error; } },
  output: { font: "mathjax-newcm" },
  chtml: { fontURL: "fonts", adaptiveCSS: true, linebreaks: { inline: true } },
  startup: { typeset: false },
});

const adaptor = MathJax.startup.adaptor;
const jax = MathJax.startup.document.outputJax;
const noise = new Set(["data-latex", "data-latex-item", "texclass", "overflow", "unselectable"]);

function strip(node) {
  for (const name of Object.keys(node.attributes ?? {})) if (noise.has(name)) adaptor.removeAttribute(node, name);
  for (const child of node.children ?? []) strip(child);
}

// A long formula in a line of text may break after a relation or an operator, as in TeX: not inside parentheses, not at
// a conditioning bar. A short one stays together. MathJax marks breaks before the operator, where they'd start a line.
const opening = new Set(["(", "[", "{", "⟨"]), closing = new Set([")", "]", "}", "⟩"]), bars = new Set(["|", "∣", "∥", "‖"]);
const shortest = 20;  // characters

function setBreaks(node) {
  const may = adaptor.textContent(node).length >= shortest;
  let depth = 0;
  for (const child of node.children.filter((one) => one.kind.startsWith("mjx-"))) {
    const text = child.kind === "mjx-mo" ? adaptor.textContent(child) : "";
    if (opening.has(text)) depth += 1;
    if (closing.has(text)) depth -= 1;
    if (child.kind === "mjx-break") moveBreak(child, may && depth === 0);
    else setBreaks(child);
  }
}

// A break stands for the space before its operator. The operator keeps that space, the break takes the one after it.
function moveBreak(node, keep) {
  const operator = adaptor.next(node), size = adaptor.getAttribute(node, "size");
  if (operator && size && size !== "0") adaptor.setAttribute(operator, "space", size);
  const after = operator && adaptor.next(operator);
  adaptor.remove(node);
  if (!keep || !after || operator.kind !== "mjx-mo" || bars.has(adaptor.textContent(operator))) return;
  adaptor.setAttribute(node, "size", adaptor.getAttribute(after, "space") ?? "0");
  adaptor.removeAttribute(after, "space");
  adaptor.insert(node, after);
}

// A rule ends at a closing brace that stands alone on its line at the outer level.
function rules() {
  const found = [];
  let rule = "", depth = 0;
  for (const line of adaptor.cssText(MathJax.chtmlStylesheet()).split("\n")) {
    if (!line.trim() && !depth) continue;
    depth += (line.match(/\{/g) ?? []).length - (line.match(/\}/g) ?? []).length;
    rule += line.trim();
    if (!depth) { found.push(rule); rule = ""; }
  }
  return found;
}

async function typeset({ tex, display }) {
  jax.clearCache();
  try {
    const node = await MathJax.tex2chtmlPromise(tex, { display, em: 16, ex: 8, containerWidth: 1280 });
    strip(node);
    if (!display) for (const formula of adaptor.tags(node, "mjx-math")) setBreaks(formula);
    const html = adaptor.outerHTML(node);
    if (html.includes("<mjx-merror") || html.includes("NaN")) return { error: "MathJax cannot lay this out" };
    return { html, rules: rules() };
  } catch (error) {
    return { error: error.message };
  }
}

const answers = [];
for (const formula of request.formulas) answers.push(await typeset(formula));
process.stdout.write(JSON.stringify(answers));
