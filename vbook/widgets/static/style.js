// The widgets' looks, in the colours of the page where it has them (the site), in our own elsewhere (JupyterLab, Colab).

const CSS = `
.vw { --w-ink: var(--ink, #1b1f24); --w-muted: var(--muted, #57606a); --w-paper: var(--paper, #fdfcfa); --w-raised: var(--raised, #f5f3ee);
  --w-line: var(--line, #dfdbd2); --w-blue: var(--blue, #0072b2); --w-vermillion: var(--vermillion, #d55e00); --w-orange: var(--orange, #e69f00);
  --w-green: var(--green, #00734f); --w-purple: var(--purple, #a3497c); --w-sans: var(--sans, system-ui, sans-serif);
  container-type: inline-size; margin: 1.6rem 0; padding: 1rem 1.15rem 1.1rem; border: 1px solid var(--w-line); border-radius: 12px;
  background: var(--w-raised); color: var(--w-ink); font: 400 .95rem/1.5 var(--w-sans); }
body[data-jp-theme-light="false"] .vw, html[theme="dark"] .vw { --w-ink: #e8e5df; --w-muted: #a3adb7; --w-paper: #15181c; --w-raised: #1e2328;
  --w-line: #353c44; --w-blue: #6cbcf0; --w-vermillion: #ff8f4d; --w-orange: #f0b53a; --w-green: #3fcf9f; --w-purple: #e29ac3; }
.vw * { box-sizing: border-box; }
.vw p { margin: 0 0 .5rem; }
.vw-head { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center; justify-content: space-between; margin-bottom: .6rem; }
.vw-title { font-weight: 640; font-size: 1.08rem; }
.vw .vw-title { margin: 0; }
.vw-tools { display: flex; gap: .4rem; align-items: center; }
.vw .vw-tools .vw-hint { margin: 0; min-height: 0; }
.vw-tools .vw-hint:empty { display: none; }
.vw-stage { display: grid; gap: 1rem 1.4rem; grid-template-columns: minmax(0, 1fr); align-items: start; }
@container (min-width: 34rem) { .vw-stage.vw-two { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); } .vw-stage.vw-even { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
.vw-column { display: grid; gap: .6rem; justify-items: start; min-width: 0; }
.vw-column > * { max-width: 100%; }
.vw-column > .vw-slider, .vw-column > .vw-numbers { width: 100%; }
@container (max-width: 33.99rem) { .vw-column:has(.vw-decoded) { grid-template-columns: minmax(0, 9rem) auto; align-items: center; } }
.vw-canvas { display: block; width: 100%; height: auto; border-radius: 6px; background: var(--w-paper); }
.vw-draggable { cursor: crosshair; touch-action: none; }
.vw-controls { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; margin-top: .8rem; align-items: end; }
.vw-slider { display: grid; grid-template-columns: 1fr auto; gap: .1rem .6rem; width: 15rem; max-width: 100%; }
.vw-slider label { color: var(--w-muted); }
.vw-slider output { grid-area: 1 / 2; font-variant-numeric: tabular-nums; }
.vw-slider input { grid-area: 2 / 1 / auto / -1; width: 100%; min-height: 24px; accent-color: var(--w-blue); margin: 0; }
.vw-choice { border: 0; padding: 0; margin: 0; min-width: 0; display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; }
.vw-choice legend { color: var(--w-muted); padding: 0; margin: 0 0 .15rem; font-size: inherit; float: none; width: auto; line-height: inherit; }
.vw-choice input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.vw-choice label, .vw-button { display: inline-flex; align-items: center; min-height: 2rem; padding: .1rem .75rem; margin: 0; border: 1px solid var(--w-line); border-radius: 999px; background: var(--w-paper); color: var(--w-ink); font: inherit; font-size: .9rem; cursor: pointer; }
.vw-choice { position: relative; }
.vw-choice input:checked + label, .vw-button[aria-pressed="true"] { border-color: var(--w-blue); box-shadow: inset 0 0 0 1px var(--w-blue); color: var(--w-blue); }
.vw-choice input:focus-visible + label, .vw-button:focus-visible, .vw-canvas:focus-visible, .vw-slider input:focus-visible { outline: 2px solid var(--w-blue); outline-offset: 2px; }
.vw-button:hover, .vw-choice label:hover { border-color: var(--w-muted); }
.vw-button:disabled { color: var(--w-muted); cursor: default; border-style: dashed; }
.vw-quiet { display: none; background: transparent; border-color: transparent; color: var(--w-muted); text-decoration: underline; text-underline-offset: .2em; }
.vw-toggle { display: inline-flex; gap: .45rem; align-items: center; min-height: 2rem; }
.vw-toggle input { accent-color: var(--w-blue); width: 1.1rem; height: 1.1rem; margin: 0; }
.vw-question { padding: .7rem .9rem; margin-bottom: .9rem; border-left: 3px solid var(--w-orange); border-radius: 0 8px 8px 0; background: color-mix(in srgb, var(--w-orange) 9%, transparent); }
.vw-answers { display: flex; flex-wrap: wrap; gap: .4rem; }
.vw .vw-reply { margin: .5rem 0 0; }
.vw .vw-reply:empty { display: none; }
.vw-asking .vw-question { margin-bottom: 0; }
.vw-asking .vw-quiet { display: inline-flex; }
.vw.vw-asking .vw-secret, .vw .vw-asking .vw-secret, .vw-asking .vw-status { display: none; }
.vw-status, .vw-hint { color: var(--w-muted); font-size: .88rem; }
.vw p.vw-status, .vw p.vw-hint { margin: .5rem 0 0; min-height: 1.4em; }
.vw dl.vw-numbers { display: grid; grid-template-columns: auto auto; gap: .15rem 1rem; margin: 0; font-variant-numeric: tabular-nums; }
.vw-numbers dt { color: var(--w-muted); font-weight: 400; }
.vw-numbers dd { margin: 0; text-align: right; }
.vw table.vw-table { border-collapse: collapse; margin: .2rem 0; width: auto; font: inherit; font-size: .92rem; font-variant-numeric: tabular-nums; }
.vw .vw-table th, .vw .vw-table td { padding: .12rem .9rem .12rem 0; border: 0; background: none; color: var(--w-ink); text-align: right; font-weight: 400; }
.vw .vw-table :is(th, td):last-child { padding-right: 0; }
.vw.vw table.vw-table, .vw.vw table.vw-table :is(th, td) { min-width: 0; }
@container (max-width: 33.99rem) { .vw .vw-table :is(th, td):not(:last-child) { padding-right: .5rem; } }
.vw .vw-table th { color: var(--w-muted); }
.vw .vw-table th:first-child { text-align: left; }
.vw-strip { display: flex; flex-wrap: wrap; gap: .3rem; }
.vw-row { display: grid; grid-template-columns: 4.2rem minmax(0, 1fr); align-items: center; margin-bottom: .4rem; }
@container (max-width: 33.99rem) { .vw-row { grid-template-columns: minmax(0, 1fr); } }
.vw .vw-row > p, .vw .vw-caption { margin: 0; min-height: 0; }
.vw .vw-caption { margin-top: .5rem; }
.vw-stage + .vw-stage, .vw-row + .vw-stage, .vw-strip + .vw-stage, .vw-controls + .vw-row { margin-top: .8rem; }
.vw-controls + .vw-canvas { margin-top: .6rem; }
.vw-framed { box-shadow: 0 0 0 1px var(--w-line); }
.vw-thumb { display: block; border-radius: 3px; }
.vw-tile { padding: 0; border: 2px solid transparent; border-radius: 6px; background: none; cursor: pointer; line-height: 0; }
.vw-tile[aria-pressed="true"] { border-color: var(--w-blue); }
.vw-tile:focus-visible { outline: 2px solid var(--w-blue); outline-offset: 2px; }
.vw-error { border-left: 3px solid var(--w-vermillion); padding-left: .7rem; }
.vw-static { display: block; max-width: 100%; height: auto; margin: 0 auto; }
html[data-theme="dark"] .vw-static.vw-lines { filter: invert(1) hue-rotate(180deg); }
.vw-on > .vw-static, .vw-on > .vw-words { display: none; }
@media print { .vw-on > .vw-static, .vw-on > .vw-words { display: block; } .vw-live { display: none; } }
`;

let sheet = null;
/** The styles, once in each document. */
export function styles(document) {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
