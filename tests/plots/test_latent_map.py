"""Items in the plane, what is decoded there, and the page that shows both."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.api import load
from aeplug.data.opening import open_dataset
from aeplug.errors import AeplugError, ConfigError
from aeplug.inference.sample import join_documents
from aeplug.plots.latent_map import (
    LatentMap,
    choose_label,
    decode_manifold,
    fit_principal_plane,
    place_items,
)
from aeplug.plots.map_page import write_page
from aeplug.plots.scatter import draw_scatter, pick_class_colours

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def placed(model, projection="pca", items=16):
    dataset = open_dataset(model.config)
    return place_items(model, dataset, dataset.split("test"), "test", items, projection, 0)


def small_map(labels, points=None) -> LatentMap:
    count = len(next(iter(labels.values())))
    points = np.zeros((count, 2), np.float32) if points is None else points
    names = [f"item {n}" for n in range(count)]
    return LatentMap(points, names, labels, "a plane", True, ("a", "b"), torch.arange(count), {})


class TestPlane:
    def test_of_two_latents_is_the_latent_space(self, model):
        found, plane, latents = placed(model)
        np.testing.assert_array_equal(found.points, latents.numpy())
        assert found.caption == "the latent plane" and found.axes == ("z1", "z2")
        torch.testing.assert_close(plane.lift(torch.from_numpy(found.points)), latents)

    def test_of_one_is_a_line(self):
        z = torch.randn(5, 1)
        plane = fit_principal_plane(z)
        assert plane.project(z).tolist() == [[float(one), 0.0] for one in z]
        torch.testing.assert_close(plane.lift(plane.project(z)), z)

    def test_of_more_holds_the_most_variance(self):
        draw = torch.Generator().manual_seed(0)
        z = torch.randn(400, 5, generator=draw) * torch.tensor([0.1, 3.0, 0.1, 0.1, 2.0])
        plane = fit_principal_plane(z)
        kept = plane.project(z).var(0).sum() / z.var(0).sum()
        assert kept > 0.99
        assert plane.caption.startswith("2 principal components of 5 dimensions, 100% of")

    @pytest.mark.parametrize("count", [1, 4])
    def test_items_all_alike_have_no_share_of_a_variance(self, count):
        plane = fit_principal_plane(torch.ones(count, 5))
        assert plane.caption.endswith(" 0% of the variance")
        assert torch.isfinite(plane.axes).all()

    def test_items_are_spread_over_the_split(self, model):
        found, _, _ = placed(model, items=4)
        assert found.names == ["test-0", "test-5", "test-10", "test-15"]

    def test_umap_that_is_not_there_is_told(self, make_training, monkeypatch, tmp_path, plugins):
        make_training({"latent.size": 3}, tmp_path / "run").run()
        model = load(tmp_path / "run", device="cpu", plugins=plugins)
        monkeypatch.setitem(__import__("sys").modules, "umap", None)
        with pytest.raises(AeplugError, match=r"needs umap-learn: pip install umap-learn"):
            placed(model, "umap")


class TestManifold:
    def test_stands_at_quantiles_of_the_prior(self, model):
        found, plane, latents = placed(model)
        manifold = decode_manifold(model, plane, found, latents, 3, {}, 0)
        third = 0.9674  # of N(0, 1), at 5/6
        corners = torch.tensor([[-third, third], [third, -third]])
        expected = (model.decode(corners) * 255).round().int()
        for document, row in zip((manifold.rows[0][0], manifold.rows[2][2]), expected, strict=True):
            np.testing.assert_allclose(document.content[0], row, atol=2)
        assert [len(row) for row in manifold.rows] == [3, 3, 3]
        assert manifold.documents[0].name == "16.7 %, 83.3 %"
        assert manifold.caption == "quantiles of the prior along the latent plane"

    def test_without_a_prior_of_the_items(self, trained_plain, plugins):
        model = load(trained_plain, device="cpu", plugins=plugins)
        found, plane, latents = placed(model)
        manifold = decode_manifold(model, plane, found, latents, 1, {}, 0)
        middle = join_documents(model, model.decode(latents.quantile(0.5, 0)[None]), {})
        assert manifold.documents[0].content == middle[0].content
        assert manifold.caption == "quantiles of the items along the latent plane"

    def test_of_more_latents_goes_through_the_nearest_item(self, make_training, tmp_path, plugins):
        make_training({"latent.size": 3}, tmp_path / "run").run()
        model = load(tmp_path / "run", device="cpu", plugins=plugins)
        found, plane, latents = placed(model)
        manifold = decode_manifold(model, plane, found, latents, 2, {}, 0)
        assert all(" %, near test-" in document.name for document in manifold.documents)
        assert manifold.caption.endswith("; other dimensions from the nearest item")


class TestScatter:
    def test_draws_classes_quantities_and_nothing(self, tmp_path):
        points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
        labels = {"class": np.arange(60) % 12, "size": np.linspace(0, 1, 60)}
        found = small_map(labels, points)
        sizes = set()
        for label in ("class", "size", ""):
            draw_scatter(found, label, tmp_path / f"{label}.png", "a $title")
            sizes.add((tmp_path / f"{label}.png").stat().st_size)
        assert len(sizes) == 3

    def test_colours_differ(self):
        for count in (1, 10, 11, 40):
            assert len(set(pick_class_colours(count))) == count

    def test_an_unknown_label_names_the_nearest(self):
        found = small_map({"collection": np.array(["a"])})
        assert choose_label(found, "") == "collection"
        with pytest.raises(ConfigError, match=r"no label 'colection'. Did you mean 'collection'"):
            choose_label(found, "colection")


def page_data(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    return json.loads(data)


class TestPage:
    def test_holds_items_and_grid_and_no_address(self, model, tmp_path):
        found, plane, latents = placed(model)
        found.names[3] = "</script><b>&"
        manifold = decode_manifold(model, plane, found, latents, 3, {}, 0)
        split = open_dataset(model.config).split("test")
        path = tmp_path / "map.html"
        write_page(path, model, split, found, manifold, "", "a <title>")
        text = path.read_text(encoding="utf-8")
        assert "<h1>a &lt;title&gt;</h1>" in text and "{{" not in text
        assert not re.search(r"https?://|src=|@import", text)
        items, grid = page_data(path)["views"]
        assert items["names"][3] == "</script><b>&"
        assert len(items["x"]) == len(items["y"]) == 16
        assert min(items["x"]) == min(items["y"]) == 0
        assert grid["columns"] == 3 and len(grid["names"]) == 9
        assert "pictures" not in items and "notes" not in items  # the tiny codec has neither

    def test_of_melodies_has_pictures_and_notes(self, tmp_path):
        model = load("melody-2bar", device="cpu")
        found, plane, latents = placed(model, items=30)
        assert next(iter(found.labels)) == "collection"
        manifold = decode_manifold(model, plane, found, latents, 2, {"metre": "3/4"}, 0)
        split = open_dataset(model.config).split("test")
        write_page(tmp_path / "map.html", model, split, found, manifold, "key", "tunes")
        items, grid = page_data(tmp_path / "map.html")["views"]
        assert items["colour"] == "key"
        assert len(items["notes"]) == 30 and len(grid["notes"]) == 4
        assert all(len(notes) % 3 == 0 for notes in items["notes"])
        assert {"width", "height", "sheets", "count", "columns"} <= set(items["pictures"])
        assert items["labels"]["notes per bar"]["values"][0] > 0
        assert {document.content.passages[0].metre for document in manifold.documents} == {"3/4"}


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium that cannot reach any network."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=program, args=arguments)
        yield found.new_context(offline=True)
        found.close()


@pytest.mark.parametrize(("task", "items"), [("mnist-vae", 10_000), ("melody-2bar", 200)])
def test_the_page_in_a_browser(browser, tmp_path, task, items):
    model = load(task, device="cpu")
    found, plane, latents = placed(model, items=items)
    manifold = decode_manifold(model, plane, found, latents, 4, {}, 0)
    split = open_dataset(model.config).split("test")
    path = tmp_path / "map.html"
    write_page(path, model, split, found, manifold, choose_label(found, ""), "a map")
    tab = browser.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: said.append(request.url[:80]) if "://" in request.url else 0)
    tab.goto(path.as_uri())
    tab.wait_for_selector(f"body[data-ready='{items}']")

    def shown() -> str:
        return tab.inner_text("#status")

    canvas = tab.locator("canvas.view").first
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.wait_for_function("document.getElementById('status').textContent")
    assert shown() in found.names
    tab.mouse.move(0, 0)
    canvas.focus()
    tab.keyboard.press("PageDown")
    seen = {shown()}
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        tab.keyboard.press(key)
        seen.add(shown())
    assert len(seen) >= 3 and seen <= set(found.names)
    tab.keyboard.press("Enter")
    playing = tab.evaluate("sound.playing.length")
    assert (playing > 0) == (task == "melody-2bar")
    tab.keyboard.press("Escape")
    assert shown() == "" and tab.evaluate("sound.playing.length") == 0
    tab.keyboard.press("Tab")  # to the grid
    assert " %" in shown()
    # Pointing must fit into a frame, 16 ms, on a slow machine too.
    spent = tab.evaluate(
        "(() => { const view = views[0], begin = performance.now();"
        " for (let k = 0; k < 50; k++) { view.choose(view.nearest(9 * k, 300, Infinity));"
        " view.draw(); } return (performance.now() - begin) / 50; })()"
    )
    assert spent < 16
    tab.close()
    assert [line for line in said if not line.startswith("file:")] == []
