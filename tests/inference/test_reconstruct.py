"""What a file is taken for, and one file decoded under the latents of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support import aeplug, assert_one_line_error, tiny_environment

from aeplug.api import load
from aeplug.errors import AeplugError, ConfigError
from aeplug.inference.interpolate import interpolate_documents, interpolate_grid
from aeplug.inference.reconstruct import fix_latents, reconstruct_chunks, reconstruct_document
from aeplug.inference.vary import add_noise, vary_document
from aeplug.interfaces import Sampling

GREEDY = Sampling(greedy=True)
ENVIRONMENT = tiny_environment()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of a model whose decoder keeps the input's first number."""
    run = tmp_path_factory.mktemp("keeps") / "run"
    done = aeplug(
        *("train", "tiny", "--steps", 8, "--run", run, "--set", "decoder.keeps=true"),
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return run


def written(folder: Path, **files: list[list[int]]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.tiny" for name in files]
    for path, rows in zip(paths, files.values(), strict=True):
        path.write_text(json.dumps(rows))
    return paths


def rows_of(path: Path) -> list[list[int]]:
    return json.loads(path.read_text().strip())


A = [[10, 20, 30, 40], [200, 100, 50, 25], [7, 7, 7, 7]]
B = [[255, 0, 128, 64], [0, 255, 128, 192]]


def test_pieces_are_decoded_under_the_others_in_turn(run, tmp_path):
    a, b = written(tmp_path / "in", a=A, b=B)
    for name, arguments in {
        "mixed": (a, "--latent-of", b),
        "plain": (b,),
    }.items():
        done = aeplug("reconstruct", run, *arguments, "--out", tmp_path / name, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
    mixed, plain = rows_of(tmp_path / "mixed/a.tiny"), rows_of(tmp_path / "plain/b.tiny")
    # What the decoder is given beside the latent is the file's own; all else is the other's.
    assert [row[0] for row in mixed] == [row[0] for row in A]
    assert [row[1:] for row in mixed] == [plain[n % 2][1:] for n in range(3)]


def test_another_latent_is_another_job(run, tmp_path):
    a, b, c = written(tmp_path / "in", a=A, b=B, c=B[::-1])
    out = tmp_path / "out"
    first = aeplug("reconstruct", run, a, "--latent-of", b, "--out", out, env=ENVIRONMENT)
    assert first.returncode == 0, first.stderr
    other = aeplug("reconstruct", run, a, "--latent-of", c, "--out", out, env=ENVIRONMENT)
    assert other.returncode
    assert_one_line_error(other.stderr)
    again = aeplug("reconstruct", run, a, "--latent-of", b, "--out", out, env=ENVIRONMENT)
    assert again.returncode == 0
    assert "1 was done before" in again.stderr


def test_many_files_together_are_each_as_alone(run, tmp_path, plugins):
    model = load(run, device="cpu", plugins=plugins)
    a, b = written(tmp_path / "in", a=A, b=B)
    under = fix_latents(model, model.read(b))
    raws = [model.codec.split(model.read(path)) for path in (a, b, a)]
    together = reconstruct_chunks(model, raws, GREEDY, latents=under)
    for raw, result in zip(raws, together, strict=True):
        alone = reconstruct_chunks(model, [raw], GREEDY, latents=under)[0]
        torch.testing.assert_close(result.data, alone.data)
    assert reconstruct_document(model, model.read(b), GREEDY).content == (
        reconstruct_document(model, model.read(b), GREEDY, under).content
    )


def test_a_file_that_is_not_there_is_told_before_anything_is_written(run, tmp_path):
    (a,) = written(tmp_path / "in", a=A)
    done = aeplug(
        *("reconstruct", run, a, "--latent-of", tmp_path / "none.tiny"),
        *("--out", tmp_path / "out"),
        env=ENVIRONMENT,
    )
    assert done.returncode
    assert_one_line_error(done.stderr)
    assert not (tmp_path / "out").exists()


def test_what_a_file_is_taken_for_reaches_its_preparation(run, tmp_path, plugins):
    a, negative = written(tmp_path / "in", a=A, negative=[[255 - x for x in row] for row in A])
    for name, arguments in {"asked": (a, "--negative"), "plain": (negative,)}.items():
        done = aeplug("reconstruct", run, *arguments, "--out", tmp_path / name, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
    asked, plain = rows_of(tmp_path / "asked/a.tiny"), rows_of(tmp_path / "plain/negative.tiny")
    assert asked == plain
    model = load(run, device="cpu", plugins=plugins)
    there = model.with_options({"negative": True})
    torch.testing.assert_close(there.encode(a)["mean"], model.encode(negative)["mean"])
    assert not torch.equal(there.encode(a)["mean"], model.encode(a)["mean"])
    for verb in (("interpolate", a, negative), ("vary", a, "--sigma", 0)):
        out = tmp_path / verb[0]
        done = aeplug(verb[0], run, *verb[1:], "--negative", "--out", out, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
    done = aeplug(*("embed", run, a, "--negative", "--out", tmp_path / "a.npz"), env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


def test_what_is_asked_does_not_hold_for_the_other_file(run, tmp_path, plugins):
    model = load(run, device="cpu", plugins=plugins)
    a, b = written(tmp_path / "in", a=A, b=B)
    under = fix_latents(model, model.read(b))
    negative = model.with_options({"negative": True})
    found = reconstruct_document(negative, model.read(a), GREEDY, under).content
    expected = reconstruct_document(model, model.read(a), GREEDY, under)
    assert [row[1:] for row in found] == [row[1:] for row in expected.content]
    assert [row[0] for row in found] == [255 - row[0] for row in A]


def test_what_is_made_from_a_file_keeps_what_the_decoder_sees_of_it(run, tmp_path, plugins):
    model = load(run, device="cpu", plugins=plugins)
    a, b, c, d = (model.read(path) for path in written(tmp_path / "in", a=A, b=B, c=B[::-1], d=A))
    ways = interpolate_documents(model, a, b, 4, GREEDY)
    own = [[row[0] for row in document.content] for document in ways]
    assert own == [[10, 200], [10, 200], [255, 0], [255, 0]]
    grid = interpolate_grid(model, [a, b, c, d], 2, GREEDY)
    found = [[row[0] for row in document.content] for line in grid for document in line]
    assert found == [[10, 200], [255, 0], [0, 255], [10, 200]]
    for documents in add_noise(model, a, [0.5, 2.0], 2, 0, GREEDY):
        assert all([row[0] for row in one.content] == [10, 200, 7] for one in documents)
        assert documents[0].content != documents[1].content
    model.priors.fit("gaussian")
    for one in vary_document(model, a, 2, 0.3, 0, GREEDY, prior="gaussian"):
        assert [row[0] for row in one.content] == [10, 200, 7]


def test_latents_are_decoded_beside_as_many_inputs(run, plugins):
    model = load(run, device="cpu", plugins=plugins)
    items = torch.rand(300, 4)  # more than go through the decoder at once
    z = model.encode(items)["mean"]
    torch.testing.assert_close(model.decode(z, input=items), model.reconstruct(items))
    assert not torch.equal(model.decode(z), model.reconstruct(items))
    with pytest.raises(AeplugError, match="300 latents need as many inputs, got 2"):
        model.decode(z, input=items[:2])


def test_a_task_of_feature_maps_says_that_it_cannot():
    model = load("denoise-mnist", device="cpu")
    with pytest.raises(ConfigError, match="feature maps"):
        fix_latents(model, None)
