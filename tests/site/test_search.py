"""The search: what it can find is there, and a reader finds it, on its page and in its dialog, over a server and from disk."""

import json
import re
from contextlib import contextmanager
from html.parser import HTMLParser

import look
import pytest
from look import visit

from vbook.site.maths import Typesetter
from vbook.site.plain import plain

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LINKS = "#search-results li > a"
ASKED = "(words) => document.querySelector('.vbook-hits-status')?.dataset.asked === words"
FIRSTS = ["Reparameterisation", "Equation (2.10)", "Posterior collapse", "iwae", "Importance Weighted Autoencoders"]


def read(site) -> dict:
    """The pages and places that the script reads."""
    script = (site / "_static" / "vbook-places.js").read_text(encoding="utf-8")
    return json.loads(script.partition("=")[2].rstrip(";\n"))


def ids(file) -> set[str]:
    found = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.update(value for name, value in attributes if name == "id")
    parser.feed(file.read_text(encoding="utf-8"))
    return found


def test_every_place_is_there_and_says_something(built_site):
    found = read(built_site)
    ids_of = {file: ids(built_site / file) for file, _ in found["pages"]}
    for place in found["places"]:
        file, _ = found["pages"][place["page"]]
        assert place["at"] in ids_of[file], (file, place["at"])
        assert place["title"].strip(), place
        assert not re.search(r"[\ue000\ue001$]|\\[a-z]{2,}", place["title"] + place.get("text", "")), place
    kinds = {place["kind"] for place in found["places"]}
    assert kinds == {"section", "fold", "equation", "figure", "algorithm", "exercise", "term", "function", "work", "symbol"}
    listed = {file for file, _ in found["pages"]}
    assert listed == set(look.pages(built_site)) - {"search.html"}


def test_the_thesis_s_equations_sections_and_figures_are_found_by_their_numbers(built_site):
    places = read(built_site)["places"]
    labels = {(place["kind"], place.get("label")) for place in places}
    for number in ("2.10", "2.57", "2.70", "2.89"):
        assert ("equation", number) in labels
    for label in (("section", "2.9"), ("figure", "2.1"), ("algorithm", "1")):
        assert label in labels


@pytest.mark.parametrize("where", ["http", "file"])
def test_a_number_leads_to_its_equation(browser, built_site, serve, where):
    start = serve(built_site) if where == "http" else built_site.as_uri()
    with visit(browser, f"{start}/search.html?q=2.57") as page:
        page.locator(LINKS).first.wait_for()
        assert page.locator(LINKS).first.inner_text() == "Equation (2.57)"
        first = page.locator("#search-results li").first
        first.locator(".vbook-hit-equation mjx-container").wait_for()
        assert len(first.locator("p").inner_text()) > 20  # the sentence that leads to it
        page.evaluate("document.fonts.ready")  # else the click breaks them off
        page.locator(LINKS).first.click()
        page.wait_for_url("**/02-*.html#eq-2.57")
        assert page.locator("[id='eq-2.57']").is_visible()
        assert page.complaints == []


@pytest.mark.parametrize(
    "wanted, title",
    [
        ("Eq. (2.57)", "Equation (2.57)"),
        ("equation 2.10", "Equation (2.10)"),
        ("fig 2.1", "Figure 2.1"),
        ("exercise 2.4", "Exercise 2.4"),
        ("eq2.10", "Equation (2.10)"),
        ("free bits", "Free bits"),
        ("FREE BIT", "Free bits"),
        ("ELBO", "Evidence lower bound"),  # by its initials, or what its entry calls it
        ("What is the ELBO?", "Evidence lower bound"),
        ("GAN", "Generative adversarial network"),
        ("KL divergence", "Kullback–Leibler divergence"),
        ("amortized inference", "Amortised inference"),
        ("latent manifolds", "Latent manifold"),
        ("vbook.bounds.elbo", "elbo"),
        ("pósterior collapse", "Posterior collapse"),
        ("Burda et al. 2016", "Importance Weighted Autoencoders"),
        ("Kingma & Welling (2013)", "Auto-Encoding Variational Bayes"),
        ("appendix 2.A", "2.A What does a Gaussian posterior cost? The KL term, term by term"),
        ("MCEM", "Monte Carlo EM"),
        ("figure 2.1", "Figure 2.1"),  # and not section 2.1
        ("figures 2.3", "Figure 2.3"),
        ("exercise 2.1", "Exercise 2.1"),
        ("ex 2.1", "Exercise 2.1"),
        ("equations 2.3", "Equation (2.3)"),
        ("section 2.1", "2.1 What is hard about a hidden cause?"),
        ("log derivative trick", "Score-function estimator"),
        ("q(z|x)", "qϕ(z ∣ x)"),
        ("adam", "Adam: A Method for Stochastic Optimization"),
        ("importance weighted autoencoders", "Importance Weighted Autoencoders"),
    ],
)
def test_the_first_hit_is_what_was_meant(book, wanted, title):
    assert book.ask(wanted)[0][0].lower() == title.lower()


FORMULAS = {
    "x_i": "xᵢ",
    r"q_\phi(z \mid x)": "qϕ(z ∣ x)",
    "x^2": "x²",
    r"L^{1/\alpha - 1}": "L^(1/α − 1)",
    "z^{(l)}": "z^(l)",
    r"\tfrac{a + b}{2}": "(a + b)/2",
    r"\tfrac12 \log x": "(1/2) log x",
    r"\frac{a}{b}\frac{c}{d} + \frac{1}{N}": "(a/b)(c/d) + 1/N",
    r"\sqrt{a b}": "√(ab)",
    r"\textstyle\sum_{i=1}^N x_i": "∑ᵢ₌₁^N xᵢ",
    r"\hat x": "x",
    r"\mathbb E_q[\log p]": "E_q[log p]",  # not "Eq"
    r"D_{KL}(q)": "D_KL(q)",
    r"q_D^{(i)}": "q_D⁽ⁱ⁾",
    r"\sigma_{n,j}^2": "σ_(n, j)²",
    r"\log_q x": "log_q x",
    r"\log\frac{p_\theta(x,z)}{q(z)} + 1": "log(pθ(x, z)/q(z)) + 1",  # not (log p)/q
    r"\tfrac12(a + b)^2": "(1/2)(a + b)²",
    r"e^{-\frac12(1 + a)z^2}": "e^(− (1/2)(1 + a)z²)",
    r"\frac{\frac12}{3}": "(1/2)/3",
    r"\underbrace{f(x)}_{\mathcal L} + 1": "f(x) [L] + 1",
    r"\log_2 p(x)": "log₂ p(x)",
    r"\mathbb E_{q(z)}[x]": "E_(q(z))[x]",
    r"-\mu - (w^2 + 1)\sigma": "− μ − (w² + 1)σ",
    r"u, \phi \mapsto f": "u, ϕ ↦ f",
    r"\theta'(x)": "θ′(x)",
    r"10{,}000": "10,000",
}


def test_a_formula_in_words_says_what_it_says(tmp_path):
    typesetter = Typesetter(tmp_path / "maths.json")
    assert typesetter.add([(tex, False) for tex in FORMULAS]) == {}
    assert {tex: plain(typesetter.html(tex, False)) for tex in FORMULAS} == FORMULAS


def test_what_is_folded_is_found_and_unfolds(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/search.html?q=solution+exercise+2.4") as page:
        page.locator(LINKS).first.wait_for()
        assert page.locator(LINKS).first.inner_text() in ("Exercise 2.4", "Solution of exercise 2.4")
        page.get_by_role("link", name="Solution of exercise 2.4").click()
        page.wait_for_url("**/02-*.html#fold-*")
        block = page.locator("details:target")
        assert block.evaluate("(one) => one.open") and "restrict" not in block.locator("summary").inner_text()


def test_what_code_prints_is_no_code(sample_site):
    assert not [place for place in read(sample_site)["places"] if "tensor([" in place.get("code", "")]


def test_where_its_files_cannot_be_loaded_the_dialog_says_so(browser, sample_site, serve):
    with visit(browser, f"{serve(sample_site)}/chapters/03-next.html") as page:
        page.route("**/vbook-places.js", lambda route: route.abort())
        page.locator(".search-button-field").first.click()
        page.get_by_role("status").get_by_text("The search could not be loaded").wait_for()
        page.unroute("**/vbook-places.js")
        page.keyboard.press("Escape")
        page.locator(".search-button-field").first.click()  # and tries again
        page.keyboard.type("free bits")
        page.locator(".vbook-hits li > a").first.wait_for()


@pytest.mark.parametrize("name", ["minisearch.js", "stemmer.js", "vbook-places.js", "vbook-search.js"])
def test_where_its_files_cannot_be_loaded_the_page_says_so(browser, sample_site, serve, name):
    with visit(browser, f"{serve(sample_site)}/chapters/03-next.html") as page:
        page.route(f"**/{name}", lambda route: route.abort())
        page.goto(page.url.replace("chapters/03-next.html", "search.html?q=free"))
        page.get_by_role("status").get_by_text("The search could not be loaded").wait_for()
        page.unroute(f"**/{name}")
        page.keyboard.type(" bits")
        page.locator(LINKS).first.wait_for()
        assert not [said for said in page.complaints if "failed" not in said.lower()]


def test_an_equation_without_its_picture_is_found_and_the_next_time_has_it(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/search.html") as page:
        page.route("**/vbook-equations.js", lambda route: route.abort())
        page.keyboard.type("2.57")
        page.locator(LINKS).first.wait_for()
        assert "log p" in page.locator("#search-results li .visually-hidden").first.inner_text()  # which a screen reader says
        page.unroute("**/vbook-equations.js")
        page.locator("article input[type=search]").fill("equation 2.10")
        page.locator(".vbook-hit-equation mjx-container").first.wait_for()


def test_escape_closes_the_dialog_wherever_the_focus_is(browser, sample_site, serve):
    with visit(browser, f"{serve(sample_site)}/chapters/03-next.html") as page:
        for words, press in (("free bits", "ArrowDown"), ("", "Tab"), ("free bits", "")):
            page.keyboard.press("Control+k")
            page.locator("#pst-search-dialog input").fill(words)
            page.locator(".vbook-hits li > a" if words else ".vbook-hits-examples button").first.wait_for()
            if press:
                page.keyboard.press(press)
            page.keyboard.press("Escape")
            assert not page.locator("#pst-search-dialog").is_visible(), (words, press)


def test_without_scripts_no_field_is_shown(browser, sample_site, serve):
    with visit(browser, f"{serve(sample_site)}/search.html", java_script_enabled=False) as page:
        assert not page.locator("article input[type=search]").is_visible()
        assert page.locator("article noscript p").is_visible()


@contextmanager
def asking(browser, address):
    """The search page, which answers ``ask(words)`` with the titles of what it shows and what it says of that."""
    with visit(browser, address) as page:

        def ask(words: str):
            page.locator("article input[type=search]").fill(words)
            page.wait_for_function(ASKED, arg=words, polling=50)
            return page.locator(LINKS).all_inner_texts(), page.locator(".vbook-hits-status").inner_text()

        page.ask = ask
        yield page
        assert page.complaints == []


@pytest.fixture
def search(browser, sample_site, serve):
    """The sample's search page."""
    with asking(browser, f"{serve(sample_site)}/search.html") as page:
        yield page


@pytest.fixture(scope="module")
def book(browser, built_site):
    """The book's search page, one for all that is only asked."""
    with asking(browser, f"{built_site.as_uri()}/search.html") as page:
        yield page


def test_words_are_found_in_their_forms_and_marked(search):
    for words in ("lower bound", "Lower bounds", "LOWER-BOUND", "lowr bound"):
        titles, said = search.ask(words)
        assert titles[0] == "The bound", words
        assert said.startswith("No place says it so" if "lowr" in words else str(len(titles))), words
        marked = search.locator("#search-results li").first.locator("p mark").all_inner_texts()
        assert [word.lower() for word in marked][:2] == ["lower", "bound"], words
    assert "log pθ(x)" in search.locator("#search-results li p").first.inner_text()  # a formula in words


SAME = {
    "bounds": "bound",
    "modelling": "modeling",
    "φ": "phi",
    "Σ": "sigma",
    "generalised": "generalize",
    "averaging": "averages",
    "β": "ϐ",
    "2,000": "2000",
    "Jensen's": "Jensen",
}


@pytest.mark.parametrize("one", SAME)
def test_the_same_word_finds_the_same_places(book, one):
    """A plural, American endings, the name of a letter."""
    titles, said = book.ask(one)
    assert (titles, said) == book.ask(SAME[one]) and titles and re.fullmatch(r"\d+ places?:", said)


@pytest.mark.parametrize("word", ["A2", "10,000"])
def test_numbers_with_a_letter_or_a_comma_are_one_word(book, word):
    book.ask(word)
    marks = {mark.upper().replace(",", "") for mark in book.locator("#search-results mark").all_inner_texts()}
    assert marks == {word.replace(",", "")}


def test_a_word_with_a_hyphen_is_found_without_it(book):
    for word in ("loglikelihood", "nonlinear"):
        assert re.fullmatch(r"\d+ places?:", book.ask(word)[1])


def test_arrows_with_a_modifier_or_on_a_button_are_the_browsers(book):
    book.ask("bound")
    for place, keys in (("article input[type=search]", "Shift+ArrowDown"), (".vbook-hits-more", "ArrowDown")):
        book.locator(place).focus()
        book.evaluate("addEventListener('keydown', (event) => { window.kept = event.defaultPrevented; })")
        book.keyboard.press(keys)
        book.wait_for_timeout(200)
        assert book.evaluate("window.kept") is False
        assert book.evaluate("(place) => document.activeElement.matches(place)", place)


def test_each_function_is_found_once(built_site):
    """Under its own name, and not in its module's section again."""
    found = read(built_site)
    page = [file for file, _ in found["pages"]].index("book/code.html")
    sections = [place for place in found["places"] if place["page"] == page and place["kind"] == "section"]
    functions = [place for place in found["places"] if place["page"] == page and place["kind"] == "function"]
    assert len(functions) > 50 and len({place["at"] for place in functions}) == len(functions)
    assert not [place for place in sections if functions[0]["text"] in place.get("text", "")]


def test_all_results_can_be_had_and_then_no_more_are_offered(search):
    search.ask("bound")
    more, total = search.locator(".vbook-hits-more"), int(search.locator(".vbook-hits-status").inner_text().split()[0])
    while more.is_visible():
        assert search.locator(LINKS).count() < total
        more.click()
    assert search.locator(LINKS).count() == total
    search.ask("zebra")
    assert not more.is_visible()


def test_what_is_asked_last_is_answered(browser, built_site):
    """The first answer waits for the index; another question meanwhile must not get it."""
    with visit(browser, f"{built_site.as_uri()}/search.html?q=bound") as page:
        page.locator("article input[type=search]").fill("free bits")
        page.locator(LINKS).first.wait_for()
        page.wait_for_timeout(500)
        assert page.locator(LINKS).first.inner_text() == "Free bits" and page.locator(LINKS).count() <= 20
        titles = page.locator(LINKS).all_inner_texts()
        assert len(titles) == len(page.locator("#search-results li").all()) and titles.count("Free bits") == 1


def test_what_is_in_no_place_is_told(search):
    assert search.ask("zebra") == ([], "Nothing found.")
    assert search.ask("the")[1] == "Words such as these are in every place: ask for others."
    assert search.ask("lowwer")[1].startswith("No place says it so; ")
    titles, said = search.ask("zebra bound")
    assert "The bound" in titles and "with some of them" in said
    assert search.ask("") == ([], "")
    assert search.ask("2.9999") == ([], "Nothing found.")  # no near numbers
    assert search.ask("<b>") == ([], "Nothing found.")
    assert search.ask("constructor") == ([], "Nothing found.")  # a word that each object of the script's language knows
    assert search.ask("é" * 200) == ([], "Nothing found.")  # the longest


def test_code_is_found_by_its_names_and_by_its_words(search):
    lines = {"reparameterize": "def reparameterize(mu, sigma, eps):", "return mu sigma eps": "return mu + sigma * eps"}
    for words, line in lines.items():
        titles, _ = search.ask(words)
        assert titles == ["The bound"]
        assert line in search.locator("#search-results li code").first.inner_text()


def test_the_address_keeps_what_was_asked(search):
    search.ask("prior")
    assert search.url.endswith("?q=prior")
    search.reload()
    search.locator(LINKS).first.wait_for()
    assert search.locator(LINKS).first.inner_text() == "Prior"


@pytest.mark.parametrize("where", ["http", "file"])
def test_the_dialog_searches_on_every_page(browser, sample_site, serve, where):
    start = serve(sample_site) if where == "http" else sample_site.as_uri()
    with visit(browser, f"{start}/chapters/03-next.html") as page:
        page.wait_for_function("() => document.documentElement.dataset.shown === ''")
        assert not page.locator("script[src*=minisearch]").count()  # no bytes before a reader asks
        page.locator(".search-button-field").first.click()
        page.keyboard.type("free bits")
        page.locator(".vbook-hits li > a").first.wait_for()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.textContent") == "Free bits"
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.type") == "search"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/book/glossary.html#term-free-bits")
        assert page.complaints == []


def test_examples_are_asked_with_a_click_and_find_what_they_name(book):
    book.ask("")
    examples = book.locator(".vbook-hits-examples button")
    firsts = []
    for k in range(examples.count()):
        words = examples.nth(k).inner_text()
        examples.nth(k).click()
        book.wait_for_function(ASKED, arg=words, polling=50)
        assert not examples.nth(k).is_visible()
        firsts.append(book.locator(LINKS).first.inner_text())
        book.ask("")
    assert firsts == FIRSTS


def test_a_finger_closes_the_dialog(browser, sample_site, serve):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        page.goto(f"{serve(sample_site)}/chapters/03-next.html")
        page.locator(".search-button").first.tap()
        page.locator(".vbook-hits-examples button").first.wait_for()
        page.get_by_role("button", name="Close").tap()
        assert not page.locator("#pst-search-dialog").is_visible()
    finally:
        context.close()


def test_who_types_fast_reaches_the_result_of_the_last_letter(browser, sample_site, serve):
    with visit(browser, f"{serve(sample_site)}/search.html?q=prior") as page:
        page.locator(LINKS).first.wait_for()
        page.locator("article input[type=search]").fill("free bits")
        page.keyboard.press("ArrowDown")  # before the search has begun
        page.wait_for_function("() => document.activeElement.textContent === 'Free bits'", polling=50)
        page.wait_for_timeout(400)
        assert page.evaluate("document.activeElement.textContent") == "Free bits"


def test_without_a_choice_the_dialog_leads_to_the_search_page(browser, sample_site, serve):
    with visit(browser, f"{serve(sample_site)}/chapters/03-next.html") as page:
        page.locator(".search-button-field").first.click()
        page.keyboard.type("encoder")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=encoder")
        page.locator(LINKS).first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_results_are_accessible(browser, built_site, serve, scheme):
    with visit(browser, f"{serve(built_site)}/search.html?q=bound", 390, scheme) as page:
        page.locator(LINKS).first.wait_for()
        page.locator(".vbook-hits-more").click()
        assert page.locator(LINKS).count() == 40 and page.evaluate("document.activeElement.matches('li:nth-child(21) > a')")
        assert look.serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
