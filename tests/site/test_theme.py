import pytest

from vbook.errors import VbookError
from vbook.site import theme


def test_the_address_comes_from_pyproject_alone(tmp_path):
    text = '[project.urls]\nRepository = "https://github.com/someone/book"\n[tool.vbook]\nbranch = "trunk"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert theme.home(tmp_path) == ("https://github.com/someone/book", "trunk")


def test_without_a_checkout_there_is_no_site(monkeypatch):
    monkeypatch.setattr(theme.paths, "root", lambda: None)
    with pytest.raises(VbookError, match="from a checkout"):
        theme.home()
