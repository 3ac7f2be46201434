"""What a browser sees of a page: shared by the tests of the sample and of the real site."""

from contextlib import contextmanager
from pathlib import Path

from vbook.site import vendor


def pages(site: Path) -> list[str]:
    """The addresses of a site's pages, from its folder; the front door, which only leads on, is not one."""
    files = (file for file in site.rglob("[!.]*.html") if "_static" not in file.parts and file != site / "index.html")
    return sorted(file.relative_to(site).as_posix() for file in files)


@contextmanager
def window(browser, address: str, width: int = 1280, scheme: str = "light", first: str = "", **options):
    """A page for ``address`` that isn't there yet, with ``complaints``: console errors, failed and foreign requests.

    Whatever it opens, the script ``first`` runs before.
    """
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme, **options)
    context.add_init_script(first)
    page = context.new_page()
    page.complaints = []
    home = address.split("/")[0] + "//" + address.split("/")[2]
    page.on("console", lambda said: said.type in ("error", "warning") and page.complaints.append(said.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(f"failed: {request.url}"))
    page.on("response", lambda answer: answer.status >= 400 and page.complaints.append(f"{answer.status}: {answer.url}"))
    page.on("request", lambda request: _foreign(request.url, home) and page.complaints.append(f"foreign: {request.url}"))
    try:
        yield page
    finally:
        context.close()


@contextmanager
def visit(browser, address: str, *args, **options):
    """The page at ``address`` in a window of its own, which see."""
    with window(browser, address, *args, **options) as page:
        page.goto(address)
        page.evaluate("document.fonts.ready")
        yield page


READY = "(id) => document.querySelector(`#${id}.vw-on`) !== null"


def opened(page, name):
    """The element of the widget ``name``, alive, its question answered."""
    page.evaluate("(id) => document.getElementById(id).scrollIntoView()", name)
    page.wait_for_function(READY, arg=name)
    root = page.locator(f"#{name}")
    root.get_by_role("button", name="Just show me").click()
    return root


def _foreign(url: str, home: str) -> bool:
    return not url.startswith((home, "data:", "blob:"))


def walk_through(page):
    """Scroll from top to end, as a reader does: what is far from the screen isn't laid out before."""
    page.evaluate(
        """async () => {
          const frame = () => new Promise((done) => {
            requestAnimationFrame(() => setTimeout(done));
            setTimeout(done, 2000); // a browser on a busy machine may lose a frame, and never tells
          });
          for (let y = 0; y < document.documentElement.scrollHeight; y += 0.9 * innerHeight) { scrollTo(0, y); await frame(); }
        }"""
    )


def without_drawn_formulas(page):
    """Take away the formulas' glyphs, which are hidden from assistive technology and no text to axe: half of its time."""
    page.evaluate("document.querySelectorAll('mjx-math[aria-hidden=true]').forEach((drawn) => drawn.remove())")


OF_COLOURS = ["color-contrast", "link-in-text-block"]  # axe's rules that look at colours
EACH_LOOK = """() => {
  const looks = new Map(), grounds = new Map([[null, ""]]);
  const on = (node) => { // what lies behind an element: the grounds of all that it stands in
    if (!grounds.has(node)) {
      const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(node);
      grounds.set(node, [backgroundColor, backgroundImage, opacity, filter].join() + on(node.parentElement));
    }
    return grounds.get(node);
  };
  for (const node of document.body.querySelectorAll("*")) {
    const says = node.placeholder || [...node.childNodes].some((part) => part.nodeType === Node.TEXT_NODE && part.data.trim());
    if (!says || !node.checkVisibility()) continue;
    const { color, fontSize, fontWeight, textDecorationLine, textShadow } = getComputedStyle(node);
    const beside = node.closest("a") && getComputedStyle(node.closest("a").parentElement).color;
    const look = [color, fontSize, fontWeight, textDecorationLine, textShadow, beside, on(node)].join();
    if (!looks.has(look)) looks.set(look, node.closest("a") ?? node);
  }
  return [...looks.values()];
}"""


def serious_findings(page) -> list[str]:
    """What axe finds serious or critical on the page, as ``rule: element``."""
    return _found(page, "document", {})


def darken(page):
    """Show the open page in its dark colours, at once."""
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_selector("html[data-theme=dark]", state="attached")


def hard_to_see(page) -> list[str]:
    """The same of colours alone: text of one colour and size on the same grounds reads alike, and axe looks at one of each."""
    return _found(page, f"{{ include: ({EACH_LOOK})() }}", {"runOnly": OF_COLOURS})


def _found(page, where: str, options: dict) -> list[str]:
    page.evaluate((vendor.modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(f"(options) => axe.run({where}, options)", {"resultTypes": ["violations"]} | options)["violations"]
    grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}" for rule in grave for node in rule["nodes"]]


# Run before a page: how far its content moves under the eye while it loads.
WATCH = """window.moved = 0; new PerformanceObserver((list) => {
  for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) window.moved += value;
}).observe({ type: "layout-shift", buffered: true })"""
SAYS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  const images = [...document.querySelectorAll("img")];
  return {
    twice: ids.filter((id, at) => ids.indexOf(id) !== at),
    dangling: [...document.querySelectorAll('a[href^="#"]')].map((a) => decodeURIComponent(a.getAttribute("href").slice(1)))
      .filter((id) => id && !document.getElementById(id)),
    nameless: images.filter((image) => !image.alt).map((image) => image.src),
    broken: images.filter((image) => image.loading !== "lazy" && !image.naturalWidth).map((image) => image.src),
    merror: document.querySelectorAll("mjx-merror, merror").length,
    raw: [...document.querySelectorAll(".bd-article p, .bd-article li, figcaption")].map((node) => {
      const copy = node.cloneNode(true);
      copy.querySelectorAll("code, mjx-container").forEach((part) => part.remove());
      return copy.textContent;
    }).filter((text) => /\\$[^$]+\\$|\\\\(?:mathbb|frac|tag|begin)|\\{vbook-/.test(text)),
    left: [...document.querySelectorAll(".bd-article > section > *")]
      .filter((node) => node.offsetWidth && node.getBoundingClientRect().left < 0).map((node) => node.className),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


def slips(page) -> dict:
    """What is wrong with the page as it stands, by kind: its complaints, links to nowhere, pictures without words and so on."""
    found = {"complaints": list(page.complaints)} | page.evaluate(SAYS)
    return {kind: what for kind, what in found.items() if what}
