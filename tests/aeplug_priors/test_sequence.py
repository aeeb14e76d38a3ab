"""Priors over whole documents: fitted, sampled from, continued by, kept, and what may go wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import CHAINS, TINY, assert_one_line_error

from aeplug.api import load
from aeplug.data.opening import open_dataset
from aeplug.errors import CheckpointError, ConfigError
from aeplug.inference.sample import sample_documents
from aeplug.interfaces import Document, Sampling
from aeplug.model.model import Model
from aeplug.priors.store import PRIORS, cache_folder
from aeplug_priors.sequence.continuation import continue_documents
from aeplug_priors.sequence.documents import LONGEST, latent_sequences
from aeplug_priors.sequence.fitting import fit_sequence_prior
from aeplug_priors.sequence.layers import LONGEST_MATCH, count_matches
from aeplug_priors.sequence.network import SequenceNetwork
from aeplug_priors.sequence.prior import CANDIDATES, document_lengths

SMALL = {"width": 16, "layers": 1, "components": 2, "pointer_width": 16, "pointer_layers": 1}
FORM = (0, 1, 0, 1, 2, 3, 2, 3)


@pytest.fixture(scope="module")
def chain_plugins():
    from aeplug.plugins import Plugins

    return Plugins([TINY, CHAINS])


@pytest.fixture(scope="module")
def chains_run(chain_plugins, tmp_path_factory) -> Path:
    from aeplug.config import resolve
    from aeplug.model.run_folder import RunFolder
    from aeplug.runtime.distributed import Distributed
    from aeplug.training.trainer import Trainer

    folder = tmp_path_factory.mktemp("chains") / "run"
    config = resolve(chain_plugins.task("chains"), chain_plugins, {})
    run = RunFolder(folder)
    run.create(config.as_dict(), {})
    distributed = Distributed(0, 1, torch.device("cpu"))
    Trainer(config, open_dataset(config), chain_plugins, run, distributed).run()
    return folder


@pytest.fixture(scope="module")
def prior(chains_run, chain_plugins):
    model = load(chains_run, device="cpu", plugins=chain_plugins)
    return fit_sequence_prior(
        model, open_dataset(model.config), "train", 0, seen=10_000, critic_seen=1_000, **SMALL
    )


def keep(model, prior) -> Path:
    model.priors.add(prior)
    return model.priors.keep(prior.kind)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def run(chains_run, tmp_path) -> Path:
    return Path(shutil.copytree(chains_run, tmp_path / "run"))


@pytest.fixture
def model(run, chain_plugins, prior) -> Model:
    loaded = load(run, device="cpu", plugins=chain_plugins)
    loaded.priors.add(prior)
    return loaded


@pytest.fixture
def chains(invoke, monkeypatch):
    """The command line with both plug-ins."""
    from aeplug.plugins import current as plugins

    monkeypatch.setenv(plugins.PLUGINS_DIR_VARIABLE, f"{TINY}:{CHAINS}")
    return invoke


def form_of(document: Document) -> tuple[int, ...]:
    """Each piece's number among the different ones, in order: 0 1 0 1 for a b a b."""
    found: list[list[int]] = []
    for row in document.content:
        if row not in found:
            found.append(row)
    return tuple(found.index(row) for row in document.content)


class TestFitting:
    def test_learns_how_documents_repeat_themselves(self, prior):
        facts = prior.facts
        assert (facts["items"], facts["heldout_items"], facts["pieces"]) == (40, 12, 320)
        assert facts["return_share"] == pytest.approx(0.5, abs=0.06)
        assert facts["choice_right"] > 0.9
        assert facts["choice_nats"] < 0.5 * facts["lag_choice_nats"]
        assert facts["lag_choice_right"] < facts["choice_right"]

    def test_the_same_seed_gives_the_same_prior(self, model):
        few = {"seen": 1_300, "critic_seen": 300, **SMALL}
        first, again = (
            fit_sequence_prior(model, open_dataset(model.config), "train", 3, **few).tensors()
            for _ in range(2)
        )
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_sequences_put_back_what_the_items_leave_out(self, model):
        dataset = open_dataset(model.config)
        sequences = latent_sequences(model, dataset, "val")
        assert len(dataset.split("val")) == 48
        assert sequences.counts.tolist() == [8] * 12
        same = SequenceNetwork(2, {}, **SMALL)
        same.fit_scales(sequences.mean, sequences.noise, 0.5)
        equal = same.find_equal_pieces(sequences.pad(torch.arange(3)).mean)
        assert bool(equal[:, 0, 2].all()) and bool(equal[:, 5, 7].all())

    def test_altered_as_a_whole(self, model):
        dataset = open_dataset(model.config)
        draws = torch.Generator().manual_seed(0)
        altered = latent_sequences(model, dataset, "val", draws).mean.view(12, 8, 2)
        assert torch.equal(altered[:, :2], altered[:, 2:4])
        plain = latent_sequences(model, dataset, "val").mean.view(12, 8, 2)
        assert not torch.equal(altered, plain)

    def test_single_items_are_no_documents(self, trained, plugins):
        with pytest.raises(ConfigError, match="are single items: there are no documents"):
            load(trained, device="cpu", plugins=plugins).priors.fit("sequence")

    def test_what_cannot_be(self, model):
        with pytest.raises(ConfigError, match="takes no option components"):
            model.priors.fit("sequence", components=5)
        with pytest.raises(ConfigError, match="Did you mean 'train'"):
            fit_sequence_prior(model, open_dataset(model.config), "trian", 0)
        config = model.config.sections["data"].config
        few = type(model.config.sections["data"].factory(config))(type(config)(documents=3))
        with pytest.raises(ConfigError, match="3 documents are too few"):
            fit_sequence_prior(model, few, "train", 0)


class TestNetwork:
    def test_nothing_behind_a_place_reaches_it(self):
        network = SequenceNetwork(3, {"kind": 2}, **SMALL).eval()
        mean = torch.randn(2, 7, 3)
        same = torch.zeros(2, 7, 7, dtype=torch.bool)
        cond, whole = {"kind": torch.zeros(2, 7, dtype=torch.int64)}, torch.tensor([7, 9])

        def seen(given):
            read = network.encode(given, same, cond, whole)
            z = torch.zeros(2, 7, 3)
            return network.choices(read)[:, :5, :5], network.density(read).log_prob(z)[:, :5]

        changed = mean.clone()
        changed[:, 4:] += 1
        for before, after in zip(seen(mean), seen(changed), strict=True):
            torch.testing.assert_close(before, after)
        changed[:, 3] += 1
        assert not torch.allclose(seen(mean)[1], seen(changed)[1])

    def test_equal_pieces_before_two_places_are_counted(self):
        form = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 1, 2]])
        found = count_matches(form[:, :, None] == form[:, None])[0]
        assert found[3, 0] == 0, "nothing is before the first"
        assert (found[4, 1], found[5, 2], found[5, 1]) == (1, 2, 0)
        assert found[8, 5] == LONGEST_MATCH

    def test_the_density_is_one(self):
        """Its mass over a grid of the plane is 1."""
        network = SequenceNetwork(2, {}, **SMALL).eval()
        network.fit_scales(torch.randn(100, 2) * 2 + 1, torch.full((100, 2), 0.5), 0.5)
        axis = torch.linspace(-25, 25, 201)
        grid = torch.cartesian_prod(axis, axis)
        mean = torch.randn(1, 3, 2)
        same = torch.zeros(1, 3, 3, dtype=torch.bool)
        with torch.no_grad():
            density = network.density(network.encode(mean, same, {}, torch.tensor([3])))
            mass = density.log_prob(grid[:, None].expand(-1, 3, -1)).exp().sum(0)
        assert (mass * (axis[1] - axis[0]) ** 2).tolist() == pytest.approx([1, 1, 1], abs=0.02)

    def test_draws_are_of_the_density(self):
        network = SequenceNetwork(2, {}, **SMALL).eval()
        mean = torch.tensor([[[3.0, -2.0], [0.5, 0.5], [0.0, 0.0]]])
        same = torch.zeros(1, 3, 3, dtype=torch.bool)
        with torch.no_grad():
            density = network.density(network.encode(mean, same, {}, torch.tensor([3])))
            z = density.sample(4000, 1.0, torch.Generator().manual_seed(0), places=1)
            assert z.shape == (1, 1, 4000, 2)
            entropy = -density.log_prob(z[0, 0, :, None].expand(-1, 3, -1))[:, -1].mean()
            spread = z[0, 0].var(0).log().sum() / 2 + 2.84  # of a Gaussian as wide
        assert float(entropy) < float(spread) + 0.1


class TestDocuments:
    def test_sections_return_and_end_as_planned(self, model):
        documents = sample_documents(model, 20, 0, Sampling(1.0), pieces=8)
        assert all(len(one.content) == 8 for one in documents)
        forms = [form_of(one) for one in documents]
        assert sum(form == FORM for form in forms) >= 14, forms

    def test_seeded_and_the_first_do_not_depend_on_how_many_follow(self, model):
        few = sample_documents(model, 2, 5, Sampling(1.0), pieces=6)
        many = sample_documents(model, 4, 5, Sampling(1.0), pieces=6)
        assert [one.content for one in few] == [one.content for one in many[:2]]
        other = sample_documents(model, 2, 6, Sampling(1.0), pieces=6)
        assert few[0].content != other[0].content != few[1].content

    def test_of_another_prior_the_pieces_stand_in_a_row(self, model):
        documents = sample_documents(model, 3, 0, Sampling(1.0), prior="own", pieces=4)
        alone = sample_documents(model, 12, 0, Sampling(1.0), prior="own")
        rows = [row for one in documents for row in one.content]
        assert rows == [row for one in alone for row in one.content]

    def test_longer_than_the_network_looks_back(self, model):
        (one,) = sample_documents(model, 1, 0, Sampling(1.0), pieces=LONGEST + 5)
        assert len(one.content) == LONGEST + 5

    def test_very_long_ones_do_not_run_in_a_circle(self, model):
        (one,) = sample_documents(model, 1, 0, Sampling(1.0), pieces=4 * LONGEST)
        parts = [one.content[start : start + LONGEST] for start in range(0, 4 * LONGEST, LONGEST)]
        fresh = [{tuple(row) for row in part} for part in parts]
        for number in range(1, 4):
            earlier = set().union(*fresh[:number])
            assert len(fresh[number] - earlier) > len(fresh[0]) / 3

    def test_where_a_piece_returns_from_is_counted_from_the_beginning(self, model, prior):
        begun = sample_documents(model, 1, 3, Sampling(1.0), pieces=8)[0]
        batch = model.pieces(begun)
        mean = model.posterior(batch)[0].mode()
        sampling = Sampling(1.0, generator=model.generator(0))
        rows = list(batch.target)
        for piece in prior.pieces(model, LONGEST + 9, {}, sampling, mean, {}, rows[:]):
            if piece.returns >= 0:
                assert torch.equal(rows[piece.returns], piece.data)
            rows.append(piece.data)
        assert len(rows) == LONGEST + 17

    @given(st.integers(1, 5000))
    def test_sets(self, count):
        lengths = document_lengths(count)
        assert sum(lengths) == count
        assert max(lengths) <= LONGEST and max(lengths) - min(lengths) <= 1
        assert len(lengths) == 1 or count > LONGEST

    def test_a_document_is_kept_and_goes_on(self, model):
        begun = sample_documents(model, 1, 3, Sampling(1.0), pieces=8)[0].content[:6]
        document = Document([list(row) for row in begun], "begun")
        found = continue_documents(model, document, 5, 2, 0, Sampling(1.0))
        assert all(one.content[:6] == begun for one in found)
        assert all(len(one.content) == 8 for one in found)
        # a b a b c d: now c d, as they were decoded from the file's own pieces.
        again = [one.content[6:] == begun[4:6] for one in found]
        assert sum(again) >= 4

    def test_a_codec_weighs_what_comes_and_knows_the_last(self, model, monkeypatch):
        calls = []

        class Choosing(type(model.codec)):
            item_candidates = 1

            def weigh_candidates(self, before, candidates, logits, cond, last):
                calls.append((len(before), len(candidates), last))
                assert logits.shape == (len(candidates),)
                brightest = candidates.sum(1).argmax()
                return torch.where(torch.arange(len(candidates)) == brightest, 0.0, -torch.inf)

        monkeypatch.setattr(model.codec, "__class__", Choosing)
        (one,) = sample_documents(model, 1, 0, Sampling(1.0), pieces=6)
        sums = [sum(row) for row in one.content]
        assert sums == sorted(sums), "what is darker than what returns is never taken"
        assert [(before, last) for before, _, last in calls] == [(n, n == 5) for n in range(6)]
        assert calls[0][1] == CANDIDATES
        assert all(count in (before, before + CANDIDATES) for before, count, _ in calls)

    def test_no_pieces_or_no_sequels(self, model, trained, plugins):
        with pytest.raises(ConfigError, match="expected at least 1"):
            sample_documents(model, 1, 0, Sampling(), prior="sequence", pieces=0)
        plain = load(trained, device="cpu", plugins=plugins)
        assert "continue" not in plain.verbs and "continue" in model.verbs
        with pytest.raises(
            ConfigError, match="cannot continue: that takes files of several pieces"
        ):
            continue_documents(plain, Document([[1, 2, 3, 4]], "x"), 1, 1, 0, Sampling())

    def test_single_items_are_not_drawn_from_it(self, model):
        with pytest.raises(ConfigError, match="whole documents, not single items"):
            model.sample(3, prior="sequence")


class TestOnDisk:
    def test_kept_and_found_again(self, model, run, chain_plugins, prior):
        path = keep(model, prior)
        assert path.parent == run / "checkpoints" / "best"
        again = load(run, device="cpu", plugins=chain_plugins)
        assert dict(again.priors.get("sequence").facts) == dict(prior.facts)
        forms = (sample_documents(one, 4, 1, Sampling(1.0), pieces=8) for one in (model, again))
        first, second = ([form_of(one) for one in documents] for documents in forms)
        assert first == second  # half precision moves no choice of these

    def test_damage_is_told_with_the_way_out(self, model, run, chain_plugins, prior):
        path = keep(model, prior)
        content = path.read_bytes()
        for damage, message in ((content[:-9], "damaged or was altered"), (None, "is missing")):
            path.unlink() if damage is None else path.write_bytes(damage)
            again = load(run, device="cpu", plugins=chain_plugins)
            with pytest.raises(CheckpointError, match=rf"{message}.*--kind sequence"):
                sample_documents(again, 1, 0, Sampling(), pieces=2)
            assert again.sample(2).shape == (2, 4)  # the rest is as ever

    @pytest.mark.parametrize(
        "change", [{"network": {"width": 8}}, {"network": None}, {"size": 3}, {"conditions": 5}]
    )
    def test_an_entry_of_another_net(self, change, model, run, chain_plugins, prior):
        keep(model, prior)
        path = run / "checkpoints" / "best" / "config.json"
        header = json.loads(path.read_text("utf-8"))
        header[PRIORS]["sequence"] |= change
        path.write_text(json.dumps(header), encoding="utf-8")
        again = load(run, device="cpu", plugins=chain_plugins)
        with pytest.raises(CheckpointError, match="cannot be read"):
            again.priors.get("sequence")

    def test_of_another_latent_is_told(self, model, run, chain_plugins, prior):
        from aeplug_priors.sequence.critic import Critic
        from aeplug_priors.sequence.prior import SequencePrior

        other = SequencePrior(SequenceNetwork(3, {}, **SMALL), Critic(3, 16), {})
        keep(model, other)
        again = load(run, device="cpu", plugins=chain_plugins)
        with pytest.raises(CheckpointError, match="is of latents of 3, not 2"):
            again.priors.get("sequence")

    def test_a_kill_while_it_is_written_leaves_what_was_there(
        self, model, run, prior, chain_plugins, monkeypatch
    ):
        from aeplug.priors import store

        keep(model, prior)
        write = store.atomic_write

        def killed(path, content):
            if path.suffix == ".json":
                raise KeyboardInterrupt
            write(path, content)

        monkeypatch.setattr(store, "atomic_write", killed)
        other = fit_sequence_prior(
            model, open_dataset(model.config), "train", 9, seen=1_300, critic_seen=300, **SMALL
        )
        with pytest.raises(KeyboardInterrupt):
            keep(model, other)
        again = load(run, device="cpu", plugins=chain_plugins)
        assert dict(again.priors.get("sequence").facts) == dict(prior.facts)
        assert not list((run / "checkpoints" / "best").glob("*.new"))

    def test_what_cannot_lie_beside_the_weights_lies_in_the_cache(
        self, model, run, prior, monkeypatch
    ):
        shipped = run / "checkpoints" / "best"
        monkeypatch.setattr("aeplug.model.checkpoint.shipped_weights", lambda task: shipped)
        assert keep(model, prior).parent == cache_folder(model)


class TestCommands:
    @pytest.fixture
    def kept(self, model, run, prior) -> Path:
        keep(model, prior)
        return run

    def test_sample_by_pieces_and_by_the_codecs_own_length(self, chains, kept, tmp_path):
        for name, length in (("a", ("--pieces", 8)), ("b", ("--numbers", 32))):
            result = chains("sample", kept, "-n", 2, *length, "--out", tmp_path / name)
            assert result.code == 0, result.err
        files = [sorted((tmp_path / name).glob("*.tiny")) for name in "ab"]
        a, b = ([json.loads(path.read_text()) for path in paths] for paths in files)
        assert a == b and [len(one) for one in a] == [8, 8]
        assert (tmp_path / "a" / "samples.png").is_file()

    def test_of_whole_documents_there_are_few_unless_told(self, chains, kept, tmp_path):
        for length, count in ((("--pieces", 2), 4), (("--numbers", 8), 4), (("--pieces", 1), 64)):
            out = tmp_path / "-".join(str(one) for one in length)
            result = chains("sample", kept, *length, "--out", out)
            assert result.code == 0, result.err
            assert len(list(out.glob("*.tiny"))) == count

    def test_a_sheet_of_long_documents_shows_the_first(self):
        from aeplug.inference.results import SHEET_PIECES, arrange_in_rows

        documents = [Document([[number] * 4], str(number)) for number in range(9)]
        for pieces, shown in ((1, 9), (SHEET_PIECES // 3, 3), (SHEET_PIECES * 5, 1)):
            rows, title = arrange_in_rows(documents, "made", pieces)
            assert [one.name for _, row in rows for one in row] == [str(n) for n in range(shown)]
            assert title == ("made" if shown == 9 else f"made (the first {shown} of 9)")

    def test_continue(self, chains, kept, tiny_file, tmp_path):
        rows = [[10, 200, 105, 150], [200, 10, 105, 60]]
        path, out = tiny_file("begun", rows), tmp_path / "out"
        result = chains("continue", kept, path, "-n", 3, "--pieces", 6, "--out", out)
        assert result.code == 0, result.err
        files = sorted(out.glob("begun-continued-*.tiny"))
        found = [json.loads(one.read_text()) for one in files]
        assert [len(one) for one in found] == [8, 8, 8]
        assert all(one[:2] == rows for one in found)
        assert (out / "continuations.png").is_file()
        assert json.loads(path.read_text()) == rows
        again = chains("continue", kept, path, "-n", 3, "--pieces", 6, "--out", out)
        assert_one_line_error(again.err, "continuations.png is there already", "--overwrite")

    def test_one_line_errors(self, chains, kept, trained, tiny_file, tmp_path):
        path, out = tiny_file("a"), ("--out", tmp_path / "x")
        for arguments, message in (
            (("sample", kept, "--numbers", 30), "--numbers 30: a piece has 4"),
            (("sample", kept, "--numbers", 32, "--pieces", 3), "--pieces and --numbers exclude"),
            (("sample", trained, "--pieces", 3), "are single items"),
            (("sample", trained, "--numbers", 8), "takes no option --numbers"),
            (("vary", kept, path, "--prior", "sequence"), "whole documents, not single items"),
            (("continue", trained, path), "cannot continue"),
            (("continue", kept, tmp_path / "none.tiny"), "not a .tiny file"),
        ):
            result = chains(*arguments, *out)
            assert result.code == 1, arguments
            assert_one_line_error(result.err, message)

    def test_what_takes_minutes_is_fitted_only_where_that_is_asked_for(
        self, chains, run, tiny_file, tmp_path, monkeypatch
    ):
        import aeplug_priors.sequence.fitting as fitting

        path = tiny_file("begun", [[1, 2, 3, 4]] * 4)
        sample = ("sample", run, "--pieces", 2, "-n", 1, "--out", tmp_path / "a")
        go_on = ("continue", run, path, "--pieces", 2, "-n", 1, "--out", tmp_path / "b")
        for arguments in (sample, go_on):
            refused = chains(*arguments)
            assert refused.code == 1
            assert_one_line_error(refused.err, "'chains' has no prior 'sequence' yet", "10 minutes")
            assert "--fit does that first" in refused.err
        quick = {"seen": 640, "critic_seen": 320, **SMALL}
        defaults = {**fitting.fit_sequence_prior.__kwdefaults__, **quick}
        monkeypatch.setattr(fitting, "PASSES", (1, 2))
        monkeypatch.setattr(fitting.fit_sequence_prior, "__kwdefaults__", defaults)
        fitted = chains(*sample, "--fit")
        assert fitted.code == 0, fitted.err
        assert "fitting one to the embeddings" in fitted.err and "10 minutes" in fitted.err
        # Kept: from now on it is there.
        assert chains(*go_on).code == 0

    def test_the_models_that_ship_with_a_prior_are_offered(self, invoke, tmp_path):
        refused = invoke("sample", "melody-16bar", "--bars", 32, "--out", tmp_path / "x")
        assert_one_line_error(refused.err, "'melody-16bar' has no prior 'sequence' yet")
        assert "melody-2bar comes with one" in refused.err

    def test_fit_prior(self, chains, run, monkeypatch):
        import aeplug_priors.sequence.fitting as fitting

        monkeypatch.setattr(fitting, "SEEN", 1_300)
        monkeypatch.setattr(fitting, "PASSES", (1, 2))
        monkeypatch.setattr(
            fitting.fit_sequence_prior,
            "__kwdefaults__",
            {**fitting.fit_sequence_prior.__kwdefaults__, "seen": 640, "critic_seen": 320},
        )
        result = chains("fit-prior", run, "--kind", "sequence", "--json")
        assert result.code == 0, result.err
        report = json.loads(result.out)
        assert (report["prior"], report["items"], report["passes"]) == ("sequence", 40, 2)
        refused = chains("fit-prior", run, "--kind", "sequence", "--items", 5)
        assert_one_line_error(refused.err, "'prior sequence' takes no option --items")
