"""The errata page: how many mistakes there are in which source, then each of them, folded, chapter by chapter."""

from docutils import nodes

from vbook.ledger import Erratum, errata
from vbook.results.target import SOURCES
from vbook.site.generated import DataPage, table


def groups(mistakes: tuple[Erratum, ...]) -> dict[str, list[Erratum]]:
    """The errata by source, those of the thesis by chapter, under their headings."""
    found: dict[str, list[Erratum]] = {}
    for erratum in mistakes:
        part = f", {'appendix' if erratum.chapter == 9 else 'chapter'} {erratum.chapter}" if erratum.source == "thesis" else ""
        found.setdefault(f"{SOURCES[erratum.source]}{part}", []).append(erratum)
    return found


def count_table(mistakes: tuple[Erratum, ...]) -> str:
    """How many mistakes each part has, and how many of them a test shows."""
    rows = []
    for name, members in [*groups(mistakes).items(), ("**all**", list(mistakes))]:
        checked = sum(erratum.check is not None for erratum in members)
        counts = [str(len(members)), str(checked or "–"), str(len(members) - checked or "–")]
        rows.append([name, *(f"**{count}**" if name == "**all**" else count for count in counts)])
    return table(["where", "mistakes", "shown by a test", "described"], rows)


def erratum_text(erratum: Erratum) -> str:
    """One erratum as a list of what is printed, what is right, and why."""
    place = f"[where it is used](../{erratum.where})" if erratum.where else f"waits for chapter {erratum.chapter}"
    lines = [
        f"- **Printed:** {erratum.printed}",
        f"- **Correct:** {erratum.correct}",
        f"- **Why:** {erratum.why.strip()}",
        f"- **In the book:** {place}",
    ]
    if erratum.check:
        test = erratum.check.rpartition("::")[2]
        lines.append(f"- **Check:** `{test}` fails for the printed form and passes for the correct one")
    return "\n".join(lines)


def folded(erratum: Erratum) -> str:
    """One erratum as a fold whose summary is its place, with a mark if a test shows it."""
    place = erratum.place[0].upper() + erratum.place[1:]
    return f"~~~~{{vbook-details}} {place}\n:open: false\n\n{erratum_text(erratum)}\n\n~~~~"


class Errata(DataPage):
    """``{vbook-errata}``: the counts, and a section for each part of the sources with its errata folded."""

    def run(self) -> list[nodes.Node]:
        """The table and the sections."""
        made = self.parse(count_table(errata()))
        for heading, members in groups(errata()).items():
            section = nodes.section("", nodes.title("", heading), ids=[nodes.make_id(f"errata {heading}")])
            for erratum in members:
                (block,) = self.parse(folded(erratum))
                # Inside of the fold, after its summary, so that the page's script opens it for a link.
                block.insert(1, nodes.target("", "", ids=[nodes.make_id(erratum.id)]))
                section += block
            made.append(section)
        return made
