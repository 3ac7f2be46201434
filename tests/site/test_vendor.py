import json
import re

import pytest

from vbook import paths
from vbook.errors import VbookError
from vbook.site import vendor


def test_the_lock_file_has_digests_and_no_addresses():
    lock = json.loads((paths.root() / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages and all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_versions_are_exact_and_agree_with_the_lock_file():
    wanted = json.loads((paths.root() / "package.json").read_text())
    lock = json.loads((paths.root() / "package-lock.json").read_text())
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor.paths, "build", lambda *parts: tmp_path.joinpath("_build", *parts))
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_no_network_says_what_to_do_and_leaves_nothing(elsewhere, monkeypatch):
    monkeypatch.setattr(vendor, "_npm", lambda: ["sh", "-c", "echo 'npm error network down' >&2; exit 1"])
    with pytest.raises(VbookError, match=r"check the network.*network down"):
        vendor.modules(elsewhere)
    assert [file.name for file in (elsewhere / "_build").iterdir()] == ["vendor.lock"]


def test_installs_once_per_lock_file(elsewhere, monkeypatch):
    monkeypatch.setattr(vendor, "_npm", lambda: ["sh", "-c", "mkdir node_modules"])
    assert vendor.modules(elsewhere).is_dir()
    monkeypatch.setattr(vendor, "_npm", lambda: pytest.fail("installed again"))
    assert vendor.modules(elsewhere).is_dir()
    (elsewhere / "package-lock.json").write_text('{"changed": 1}')
    monkeypatch.setattr(vendor, "_npm", lambda: ["sh", "-c", "exit 1"])
    with pytest.raises(VbookError):
        vendor.modules(elsewhere)
    assert (elsewhere / "_build" / "vendor" / "node_modules").is_dir()
