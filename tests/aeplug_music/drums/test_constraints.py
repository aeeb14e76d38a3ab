"""Which drums are hit, and how often, in what a model of drums makes."""

from __future__ import annotations

import numpy as np
import pytest

from aeplug.api import load
from aeplug.errors import ConfigError
from aeplug.inference import sample_documents, vary_document
from aeplug.interfaces import Document, Sampling
from aeplug_music.drums.constraints import NAMES, measure_density, read_constraints
from aeplug_music.drums.kit import CLOSED_HAT, DRUMS, KICK, SNARE
from aeplug_music.drums.performance import Performance, make_passage


@pytest.fixture(scope="module", params=["drums-2bar", "groove"])
def model(request):
    return load(request.param, device="cpu")


def beat():
    velocity = np.zeros((32, DRUMS), np.uint8)
    velocity[::2, CLOSED_HAT] = velocity[::8, KICK] = velocity[4::8, SNARE] = 100
    return Document(Performance((make_passage(velocity, np.zeros((32, DRUMS), np.int8)),)), "beat")


def drums_of(documents):
    hit = np.concatenate([document.content.velocity for document in documents]) > 0
    return set(np.flatnonzero(hit.any(0)).tolist())


def test_only_the_drums_that_are_named_are_hit(model):
    model = model.with_options({"only-drums": "Kick, closed hi-hat"})
    assert drums_of(sample_documents(model, 12, 0, Sampling(1.0))) == {KICK, CLOSED_HAT}
    assert SNARE in drums_of(sample_documents(load("drums-2bar"), 12, 0, Sampling(1.0)))


def test_variations_too(model):
    model = model.with_options({"only-drums": "snare"})
    varied = vary_document(model, beat(), 2, 0.5, 0, Sampling(greedy=True))
    assert drums_of(varied) <= {SNARE}


def test_density_is_graded(model):
    measured, sampling = [], Sampling(model.spec.sampling.temperature)
    for density in (0.5, 1.0, 2.0, 3.0):
        documents = sample_documents(model.with_options({"density": density}), 30, 0, sampling)
        measured.append(np.mean([measure_density(document.content) for document in documents]))
    assert measured == sorted(measured)
    assert np.allclose(measured, [0.5, 1, 2, 3], rtol=0.35)


def test_drums_by_name():
    assert read_constraints({}).logit_bias(None) is None
    assert read_constraints({"only-drums": ",".join(NAMES)}).logit_bias(None) is None
    with pytest.raises(ConfigError, match="no drum is called 'snair'"):
        read_constraints({"only-drums": "kick,snair"})
