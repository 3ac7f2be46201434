# ruff: noqa: E501 (long lines of prose and formulas, as authors write them)
"""A small book with everything in it that the site must handle."""

import base64
import io
import json
from pathlib import Path

from vbook.results import format_like, resolve, targets

TOC = """format: jb-book
root: book/index
parts:
  - caption: The thesis
    chapters:
      - file: chapters/02-variational-autoencoders
      - file: chapters/03-next
  - caption: About the book
    chapters:
      - file: book/notation
      - file: book/glossary
"""
INDEX = """# Sample book

Start with [chapter 2](../chapters/02-variational-autoencoders.ipynb), or with its bound [(2.10)](../chapters/02-variational-autoencoders.ipynb#eq-2.10).
<span class="screen">Point at its *number* to see it.</span>
"""
NOTATION = """# Notation

| symbol | meaning | where | and a rather long last column that makes the table wide on a phone |
|---|---|---|---|
| $q_\\phi(z \\mid x)$ | the approximate posterior over the latent variables | everywhere in the chapters | nothing else to be said about it here |

<details><summary>Why $q$?</summary>
Because $p$ was taken.
</details>
"""
GLOSSARY = """# Glossary

Free bits
: A floor $\\lambda$ under the KL term, see [(2.10)](../chapters/02-variational-autoencoders.ipynb#eq-2.10).

Prior
: What is said of $z$ before any data.
"""
LONG = (
    r"\log p_\theta(x) - \mathbb{E}_{q_\phi(z\mid x)}\left[\log \frac{p_\theta(x, z)}{q_\phi(z\mid x)}\right] = \sum_{i=1}^{D} "
)
LONG += r"\left(\mu_i^2 + \sigma_i^2 - \log \sigma_i^2 - 1\right) + \int q_\phi(z\mid x) \log \frac{q_\phi(z\mid x)}{p_\theta(z\mid x)}\, dz"
BOUND = r"""## The bound

We want $\log p_\theta(x)$, and for the encoder $q_\phi(z \mid x) = \mathcal N(z; \mu, \operatorname{diag}(\sigma^2))$ we get the
evidence lower bound $\mathcal L_{\theta,\phi}(x) = \log p_\theta(x) - D_{\mathrm{KL}}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$.

$$
\begin{aligned}
\log p_\theta(x) &= \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x)\right] \\
&= \mathbb{E}_{q_\phi(z \mid x)}\left[\log \frac{p_\theta(x, z)}{q_\phi(z \mid x)}\right]
 + \mathbb{E}_{q_\phi(z \mid x)}\left[\log \frac{q_\phi(z \mid x)}{p_\theta(z \mid x)}\right] \\
\end{aligned} \tag{2.8}
$$

It falls short by the divergence, see [(2.8)](#eq-2.8):

$$ \mathcal L_{\theta,\phi}(x) = \log p_\theta(x) - D_{\mathrm{KL}}\big(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\big) \le \log p_\theta(x). \tag{2.10} $$

$$ """
DETAILS = r"""<details><summary>Why may the gradient walk inside $\mathbb{E}$?</summary>
Because $p(\epsilon)$ doesn't depend on $\phi$:

$$ \nabla_\phi \mathbb{E}_{p(\epsilon)}[f] = \mathbb{E}_{p(\epsilon)}[\nabla_\phi f]. \tag{2.23} $$

```python
print("<details>")
```

- a **list** item

</details>

The source has NUMBER.

<aside>

**Erratum.** The source prints $\epsilon^2$, see [(2.23)](#eq-2.23).

</aside>

In a line $$a = b$$ of text, displayed.

> **Predict.** Which spread is wider, and by what factor?

| setting | source | our record | this run (smoke) |
|---|---:|---:|---:|
| VAE, 20 latents, static binary MNIST, validation bound in nats | NUMBER | −101.3 | −190.2 |

1. a numbered item with $\sigma$
2. another, and `code` in it
"""
WIDGET = """<div id="w1"><label>z <input type="range" aria-label="latent value" id="w1-range"></label> <output id="w1-out">0</output></div>
<script type="application/json" id="w1-data">{"a": 1}</script>
<script type="module">const r=document.getElementById("w1-range");
r.addEventListener("input",()=>{document.getElementById("w1-out").textContent=r.value});</script>"""


def _png() -> str:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6.4, 3.2))
    axes = picture.subplots()
    axes.plot([0, 1, 2], [0, 1, 4], color="#0072B2")
    axes.set_xlabel("training step")
    axes.set_ylabel("bound (nats)")
    target = io.BytesIO()
    picture.savefig(target, dpi=160, transparent=True, format="png")
    return base64.b64encode(target.getvalue()).decode()


def _figure(number: int, tone: str) -> list[dict]:
    caption = f"Figure 2.{number}. The bound rises; $\\mathcal L$ in nats."
    shown = {"caption": caption, "alt": f"A curve that rises ever faster, number {number}.", "tone": tone}
    return [
        {
            "output_type": "display_data",
            "data": {"image/png": _png(), "text/plain": caption},
            "metadata": {
                "image/png": {"width": 640, "height": 320, "alt": shown["alt"]},
                "needs_background": "light",
                "vbook": shown,
            },
        },
        {
            "output_type": "display_data",
            "data": {"text/markdown": f"*{caption}*", "text/plain": caption},
            "metadata": {"vbook": {"role": "caption"}},
        },
    ]


def _stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def _html(html: str, **note) -> dict:
    data = {"text/html": html, "text/plain": "Table"}
    return {"output_type": "display_data", "data": data, "metadata": {"vbook": note} if note else {}}


def _cell(kind: str, source: str, number: int, tags=(), outputs=()) -> dict:
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    return cell | ({"execution_count": number, "outputs": list(outputs)} if kind == "code" else {})


def notebook(*cells) -> dict:
    """A notebook of ``(kind, source, tags, outputs)`` cells."""
    made = [_cell(cell[0], cell[1], i, *cell[2:]) for i, cell in enumerate(cells)]
    kernel = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def number_link() -> str:
    """A link to the first number of ``book/targets.yml``, with the right text."""
    reference = f"target:{next(iter(targets()))}"
    return f"[{format_like(resolve(reference).value, '0.0')}]({reference})"


def chapter() -> dict:
    """Chapter 2 of the sample."""
    code = "def reparameterize(mu, sigma, eps):\n    # z = mu + sigma * eps                  (2.40)\n    return mu + sigma * eps"
    table = "<table><tr><th>L</th><th>bound</th></tr><tr><td>1</td><td>−101.3</td></tr></table>"
    return notebook(
        ("markdown", "# Variational autoencoders\n\nWhat you will be able to do: derive $\\mathcal L$ and compute it."),
        ("code", 'profile = "smoke"  # smoke, laptop or paper\nseed = 0', ["parameters"]),
        ("code", '# Parameters\nprofile = "laptop"\n', ["injected-parameters"]),
        ("code", "import torch", (), [_stream("100%|####|", "stderr")]),
        ("markdown", BOUND + LONG + r" \tag{2.11} $$"),
        ("code", code, (), [_stream("tensor([0.1, 0.2])\n")]),
        ("code", "check_close(1, 1)", ["check"], [_stream("checked: 1.000 equals 1.000\n")]),
        ("code", "show(fig)", (), [_stream("two figures\n"), *_figure(1, "lines"), *_figure(2, "image")]),
        ("code", "table", (), [_html(table)]),
        ("markdown", DETAILS.replace("NUMBER", number_link())),
        ("code", "answer = 42\nprint(answer)", ["solution"], [_stream("42\n")]),
        ("code", "explorer()", (), [_html(WIDGET, role="widget")]),
    )


def write(top: Path) -> Path:
    """Write the book under ``top`` with the real ``_config.yml``; returns ``top``."""
    real = Path(__file__).resolve().parents[2]
    next_page = (
        r"Back to [(2.10)](02-variational-autoencoders.ipynb#eq-2.10) and [(2.23)](02-variational-autoencoders.ipynb#eq-2.23)."
        " Some give each latent [free bits](../book/glossary.md#term-free-bits)."
    )
    for folder in ("book", "chapters"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    files = {
        "_config.yml": (real / "_config.yml").read_text(),
        "_toc.yml": TOC,
        "book/index.md": INDEX,
        "book/notation.md": NOTATION,
        "book/glossary.md": GLOSSARY,
        "chapters/02-variational-autoencoders.ipynb": json.dumps(chapter()),
        "chapters/03-next.ipynb": json.dumps(notebook(("markdown", "# Next\n\n" + next_page))),
    }
    for name, text in files.items():
        (top / name).write_text(text, encoding="utf-8")
    return top
