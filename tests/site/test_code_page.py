import re

import pytest
from look import visit

from vbook import bounds, hmc, paths
from vbook.errors import VbookError
from vbook.pipeline import notebook
from vbook.pipeline.chapters import all_chapters
from vbook.site.code_page import IMPORT, code_tables, equations, link_imports, names


def _book(*cells):
    made = [{"cell_type": kind, "source": source} for kind, source in cells]
    return {"chapters/02-x.ipynb": {"cells": made}}


def test_a_name_is_used_where_it_first_stands_after_its_import():
    found = names(
        _book(
            ("code", "from vbook.bounds import elbo, iwae as tighter\nfrom vbook import hmc"),
            ("markdown", "## 2.3 How good?"),
            ("code", "show('elbo and iwae')  # tighter"),
            ("code", "print(elbo)"),
            ("markdown", "### 2.3.1 More\n\n## Without a number"),
            ("code", "elbo(model, x); tighter(model, x); hmc.sample(f); self.hmc.leapfrog()"),
        )
    )
    assert {name: one.uses for name, one in found.items()} == {
        "vbook.bounds.elbo": {"chapters/02-x.ipynb": "2.3"},
        "vbook.bounds.iwae": {"chapters/02-x.ipynb": "2.3.1"},
        "vbook.hmc.sample": {"chapters/02-x.ipynb": "2.3.1"},
    }
    assert [one.thing for one in found.values()] == [bounds.elbo, bounds.iwae, hmc.sample]


def test_what_is_imported_and_never_used_is_left_out():
    assert names(_book(("code", "from vbook.bounds import elbo\nfrom vbook.plots import PALETTE\nprint(PALETTE)"))) == {}


@pytest.mark.parametrize("line", ["from vbook.bounds import elbow", "from vbook.bound import elbo"])
def test_a_name_that_the_package_does_not_have_is_told(line):
    with pytest.raises(VbookError, match=r"chapters/02-x\.ipynb takes elbow? from vbook\.bounds?, which doesn't have it"):
        names(_book(("code", f"{line}\nelbo")))


def test_equations_come_from_the_ledger():
    assert "[(2.10)](../chapters/02-variational-autoencoders.ipynb#eq-2.10)" in equations()[id(bounds.elbo)]


def test_modules_that_answer_for_equations_come_first_and_a_name_leads_to_its_source():
    made = code_tables(names(_book(("code", "from vbook.plots import figure\nfrom vbook.bounds import elbo\nfigure(elbo)"))))
    assert list(made) == ["vbook.bounds", "vbook.plots"]
    path, line = re.search(r"/blob/main/(vbook/bounds\S*\.py)#L(\d+)\)", made["vbook.bounds"]).groups()
    source = (paths.root() / path).read_text(encoding="utf-8").splitlines()
    assert "def elbo(" in "".join(source[int(line) - 1 : int(line) + 3])


def test_only_known_names_are_linked():
    line = '<span class="nn">vbook.a</span> <span class="kn">import</span> b, c <span class="k">as</span> d'
    linked = link_imports(line, frozenset(["vbook.a.c", "vbook.x.b"]), "code.html")
    assert re.sub(r"<[^>]*>", "", linked) == "vbook.a import b, c as d"
    assert re.findall(r'href="([^"]*)"', linked) == ["code.html#code-vbook.a.c"]


@pytest.mark.browser
@pytest.mark.slow
def test_every_import_of_the_chapters_leads_to_its_entry_and_back(browser, built_site):
    with visit(browser, (built_site / "book" / "code.html").as_uri()) as page:
        ids = set(page.eval_on_selector_all("[id^=code-]", "(all) => all.map((one) => one.id)"))
        rows = page.locator("table tr:has([id^=code-])")
        assert rows.count() == len(ids) > 50
        page.locator("tr:has([id='code-vbook.bounds.elbo'])").get_by_role("link", name="§2.5.3").click()
        page.wait_for_url("**/chapters/02-variational-autoencoders.html#sec-2.5.3")
        link = page.locator("a.vbook-code", has_text=re.compile("^elbo$")).first
        link.scroll_into_view_if_needed()
        link.click()
        page.wait_for_url("**/book/code.html#code-vbook.bounds.elbo")
        assert page.complaints == []
    for stem, path in all_chapters().items():
        text = (built_site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
        linked = set(re.findall(r'class="vbook-code" href="../book/code.html#(code-[\w.]+)"', text))
        assert linked <= ids
        imported = {
            f"code-{module}.{part.strip().partition(' as ')[0]}"
            for cell in notebook.read(path)["cells"]
            for module, taken in IMPORT.findall("".join(cell["source"]))
            for part in taken.split(",")
        }
        assert linked == imported & ids and len(linked) > 15, stem
