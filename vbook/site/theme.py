"""What the theme is told: where the book lives, which buttons a page has, which web files it needs."""

import tomllib
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError

STATIC = Path(__file__).with_name("static")


def home(top: Path | None = None) -> tuple[str, str]:
    """The repository's address and branch, from ``pyproject.toml`` alone.

    Raises VbookError when there is no checkout to read it from.
    """
    top = top or paths.root()
    if top is None:
        raise VbookError("the site is built from a checkout of the book, the installed package alone is not enough")
    project = tomllib.loads((top / "pyproject.toml").read_text(encoding="utf-8"))
    return project["project"]["urls"]["Repository"], project["tool"]["vbook"]["branch"]


def published(address: str) -> str:
    """Where GitHub Pages puts the site of the repository at ``address``.

    >>> published("https://github.com/owner/name")
    'https://owner.github.io/name'
    """
    owner, name = address.rstrip("/").split("/")[-2:]
    return f"https://{owner}.github.io/{name}"


def configure(app, config) -> None:
    """Complete Sphinx's configuration, the same for ``vbook build`` and ``jupyter-book build .``."""
    address, branch = home()
    config.html_theme_options = config.html_theme_options | {
        "repository_url": address,
        "repository_branch": branch,
        "path_to_docs": "",
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
        "use_repository_button": True,
        "use_issues_button": True,
        "use_download_button": False,  # a download would hand out the solutions
        "use_fullscreen_button": False,  # its inline handler is what the content policy forbids
        "home_page_in_toc": True,
        "show_toc_level": 2,
        "show_navbar_depth": 1,
        "search_bar_text": "Search this book",
        "logo": {"text": config.html_title},
        "pygments_light_style": "github-light-colorblind",
        "pygments_dark_style": "github-dark-colorblind",
        "navbar_persistent": [],
        "primary_sidebar_end": [],
        "analytics": {},
    }
    config.html_context = config.html_context | {"default_mode": "auto"}
    config.templates_path = [*config.templates_path, str(STATIC.with_name("templates"))]
    config.html_static_path = [*config.html_static_path, str(STATIC)]
    config.html_copy_source = False
    config.html_use_index = False  # nothing is in it: the code page lists what the book defines
    config.html_show_sourcelink = False
    config.html_math_renderer = "vbook"
    config.myst_update_mathjax = False
    config.nb_ipywidgets_js = {}
    config.html_permalinks_icon = "#"
