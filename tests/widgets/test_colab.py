"""The widgets as Colab shows them: an installed wheel, an empty folder, and Colab's manager of foreign widgets."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from vbook import widgets
from vbook.pipeline import normalise

VIEW = "application/vnd.jupyter.widget-view+json"
# Colab's module, as far as anywidget asks it: where widgets of others find their manager once that is switched on.
SHOW = """
import json, sys, types
asked = []
colab = types.ModuleType("google.colab.output")
colab.enable_custom_widget_manager = lambda: asked.append(True)
colab._widgets = types.SimpleNamespace(_installed_url="https://manager.example/")
sys.modules["google.colab.output"] = colab
import vbook.paths
assert vbook.paths.root() is None, "a checkout is in the way"
from vbook import widgets
shown = {}
for name in widgets.__all__:
    widget = getattr(widgets, name)()
    data, notes = widget._repr_mimebundle_()
    view = widget.live
    sizes = {key: [one["spec"]["bytes"], len(one["weights"])] for key, one in view.networks.items()}
    shown[name] = {"data": sorted(data), "model": data["VIEW"]["model_id"] == view.model_id, "notes": notes.get("VIEW")}
    shown[name] |= {"script": "export default { render }" in view._esm, "name": view.name, "sizes": sizes}
print(json.dumps({"shown": shown, "asked": asked}))
""".replace("VIEW", VIEW)


@pytest.mark.slow
def test_with_only_the_wheel_every_widget_is_handed_to_colabs_manager(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "empty").mkdir()
    env = {key: value for key, value in os.environ.items() if key != "VBOOK_DATA"} | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, cwd=tmp_path / "empty", env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert found["asked"] and set(found["shown"]) == set(widgets.__all__)
    for name, one in found["shown"].items():
        assert {VIEW, "image/png", "text/plain"} <= set(one["data"]) and one["model"] and one["script"], name
        assert one["notes"] == {"colab": {"custom_widget_manager": {"url": "https://manager.example/"}}}, name
        assert one["name"] == name.replace("_", "-") and all(a == b > 0 for a, b in one["sizes"].values())
    with_networks = {"latent_manifold", "interpolation", "draw_a_digit", "generator_paths"}
    assert {name for name, one in found["shown"].items() if one["sizes"]} == with_networks
    assert not list((tmp_path / "empty").iterdir())


def test_what_colab_was_told_isnt_kept_in_the_notebook():
    data = {VIEW: {"model_id": "1"}, "text/plain": "a widget"}
    notes = {VIEW: {"colab": {}}, "image/png": {"width": 1}}
    output = {"output_type": "display_data", "data": data, "metadata": notes}
    cell = {"id": "cell-a", "cell_type": "code", "source": "a", "metadata": {}, "execution_count": 1, "outputs": [output]}
    kept = normalise({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})["cells"][0]["outputs"][0]
    assert kept["metadata"] == {"image/png": {"width": 1}} and kept["data"] == {"text/plain": "a widget"}
