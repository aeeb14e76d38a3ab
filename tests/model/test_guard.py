"""Pieces that a model is not trusted with stay as they are, and are counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from comparing import Comparing
from hypothesis import given, settings
from hypothesis import strategies as st

from aeplug.inference.interpolate import interpolate_documents, interpolate_grid
from aeplug.inference.reconstruct import fix_latents, reconstruct_document
from aeplug.inference.vary import add_noise, draw_variations
from aeplug.interfaces import Document, PassedThrough, Sampling
from aeplug.jobs.inputs import Inputs
from aeplug.jobs.job import Job
from aeplug.jobs.reconstruction import Reconstruction
from aeplug.plugins import GuardSpec

GREEDY = Sampling(greedy=True)
#: Rows of two factors, as the model was trained on, and one that it cannot have learnt.
KNOWN, BLANK, STRANGE = [128, 128, 128, 128], [0, 0, 0, 0], [255, 255, 0, 0]


class Streaming(Comparing):
    """The same, a row at a time."""

    def chunks(self, document):
        rows = self._codec.split(document)["x"]
        return iter([{"x": row[None]} for row in rows])

    def assemble(self, results, like):
        return self._codec.join(torch.cat(list(results)), {}, like)


def guarded(model, codec=Comparing, bound=0.25):
    model.codec = codec(model.codec)
    model.guard = GuardSpec(reconstruct=bound, vary=bound, pieces="rows")
    return model


@pytest.fixture
def document():
    return Document([KNOWN, BLANK, STRANGE, KNOWN], "four")


@pytest.mark.parametrize("codec", [Comparing, Streaming])
class TestReconstruction:
    def test_what_the_model_does_not_know_stays_and_is_counted(self, model, document, codec):
        plain = reconstruct_document(model, document, GREEDY).content
        found = reconstruct_document(guarded(model, codec), document, GREEDY)
        assert found.passed == PassedThrough(pieces=4, blank=1, unlike=1)
        assert found.content == [plain[0], BLANK, STRANGE, plain[3]]
        assert plain[1:3] != [BLANK, STRANGE]

    def test_without_guard_it_is_the_raw_model(self, model, document, codec):
        plain = reconstruct_document(model, document, GREEDY)
        bare = guarded(model, codec).without_guard()
        found = reconstruct_document(bare, document, GREEDY)
        assert found.content == plain.content
        assert found.passed is None


class TestOtherVerbs:
    def test_noise_and_anothers_latents_leave_the_same_pieces(self, model, document):
        model = guarded(model)
        for noisy in add_noise(model, document, [0, 2.0], 2, 0, GREEDY):
            for one in noisy:
                assert one.content[1:3] == [BLANK, STRANGE]
                assert one.passed.count == 2
        latents = fix_latents(model, Document([[10, 200, 105, 150]], "other"))
        mixed = reconstruct_document(model, document, GREEDY, latents)
        assert mixed.content[1:3] == [BLANK, STRANGE]
        assert mixed.content[0] != KNOWN

    def test_variations_are_as_near_as_asked_for_and_equal_rows_stay_equal(self, model, document):
        for found in draw_variations(guarded(model), document, 3, 0.9, 0, GREEDY):
            rows = found.document.content
            assert rows[1:3] == [BLANK, STRANGE]
            assert rows[0] == rows[3] != KNOWN
            assert found.similarity == pytest.approx(0.9, abs=0.05)

    def test_a_similarity_of_1_is_the_document_itself(self, model, document):
        for found in draw_variations(guarded(model), document, 2, 1.0, 0, GREEDY):
            assert found.document.content == document.content
            assert found.similarity == 1

    def test_the_first_variations_do_not_depend_on_how_many_follow(self, model, document):
        model = guarded(model)
        many, few = (draw_variations(model, document, n, 0.8, 5, GREEDY) for n in (4, 2))
        contents = [one.document.content for one in many]
        assert [one.document.content for one in few] == contents[:2]
        assert contents[0] != contents[1]

    def test_a_document_of_nothing_that_is_known_stays_itself(self, model):
        strange = Document([STRANGE, BLANK], "strange")
        model = guarded(model)
        for found in draw_variations(model, strange, 2, 0.5, 0, GREEDY):
            assert found.document.content == strange.content
            assert found.similarity is None
        way = interpolate_documents(model, strange, Document([BLANK, KNOWN], "b"), 4, GREEDY)
        contents = [one.content for one in way]
        assert contents == [[STRANGE, BLANK]] * 2 + [[BLANK, KNOWN]] * 2

    def test_ends_of_a_way_and_corners_are_the_documents_own(self, model):
        corners = [
            Document([[10 * n, 20 * n + 30, 15 * n + 15, 17 * n + 22], BLANK], str(n))
            for n in range(1, 5)
        ]
        model = guarded(model, bound=1.0)
        way = interpolate_documents(model, *corners[:2], 5, GREEDY)
        assert [way[0].content, way[-1].content] == [one.content for one in corners[:2]]
        assert way[2].content[1] == BLANK
        grid = interpolate_grid(model, corners, 3, GREEDY)
        found = [grid[y][x].content for y in (0, -1) for x in (0, -1)]
        assert found == [one.content for one in corners]
        assert grid[1][1].passed == PassedThrough(pieces=2, blank=1)

    def test_steps_between_equal_documents_are_equal(self, model):
        same = Document([KNOWN], "same")
        way = interpolate_documents(guarded(model), same, same, 5, GREEDY)
        assert [one.content for one in way] == [[KNOWN]] * 5


def test_options_under_which_results_are_meant_to_differ(model):
    guarded(model)
    spec = GuardSpec(reconstruct=0.1, vary=0.2, not_under={"negative": (True,)})
    model.config = replace(model.config, task=replace(model.spec, guard=spec))
    negative = model.with_options({"negative": True})
    assert (negative.guard.reconstruct, negative.guard.vary) == (None, None)
    assert model.with_options({"negative": False}).guard == spec
    assert model.without_guard().with_options({}).guard is None


def test_a_codec_that_compares_nothing_has_no_guard(model, document):
    assert model.guard is None
    assert reconstruct_document(model, document, GREEDY).passed is None


class TestJobs:
    def job(self, model, folder, out):
        inputs = Inputs([str(folder)], "", (".tiny",), out)
        return Job(Reconstruction(model), inputs, out, ".tiny")

    def test_counts_are_the_same_whatever_was_done_before(self, model, tmp_path):
        model = guarded(model)
        (tmp_path / "in").mkdir()
        for name, rows in {"a": [KNOWN, BLANK], "b": [STRANGE], "c": [KNOWN]}.items():
            (tmp_path / "in" / f"{name}.tiny").write_text(json.dumps(rows))
        whole = self.job(model, tmp_path / "in", tmp_path / "whole")
        whole.run()
        by_file = {"a.tiny": PassedThrough(2, 1, 0), "b.tiny": PassedThrough(1, 0, 1)}
        assert whole.counts.passed == PassedThrough(4, 1, 1)
        assert whole.counts.passed_files == by_file

        later = tmp_path / "in" / "c.tiny"
        later.rename(tmp_path / "c.tiny")
        out = tmp_path / "resumed"
        self.job(model, tmp_path / "in", out).run()
        (tmp_path / "c.tiny").rename(later)
        resumed = self.job(model, tmp_path / "in", out)
        resumed.run()
        assert (resumed.counts.before, resumed.counts.done) == (2, 1)
        assert resumed.counts.passed == whole.counts.passed
        assert resumed.counts.passed_files == by_file

    def test_results_with_and_without_guard_are_not_mixed(self, model, tmp_path):
        model = guarded(model)
        (tmp_path / "a.tiny").write_text(json.dumps([STRANGE]))
        self.job(model, tmp_path / "a.tiny", tmp_path / "out").run()
        with pytest.raises(Exception, match="guard differ"):
            self.job(model.without_guard(), tmp_path / "a.tiny", tmp_path / "out").run()


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 255), min_size=4, max_size=4), min_size=1, max_size=6))
def test_no_row_is_further_away_than_the_bound(model, rows):
    if not isinstance(model.codec, Comparing):
        guarded(model, bound=0.1)
    found = reconstruct_document(model, Document(rows, "rows"), GREEDY)
    apart = (torch.tensor(found.content) - torch.tensor(rows)).abs().float().mean(1) / 255
    assert float(apart.max()) <= 0.1 + 0.002  # rounded when it is written
    assert found.passed.pieces == len(rows)
