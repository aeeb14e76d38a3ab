"""A false claim of a part is caught, with what was expected and what was found."""

from __future__ import annotations

from dataclasses import replace

import broken_claims
import pytest

from aeplug.checks.capabilities import CAPABILITY_CHECKS
from aeplug.checks.priors import PRIOR_CHECKS, check_priors
from aeplug.checks.suite import outcome_of
from aeplug.interfaces import CAPABILITIES
from aeplug.plugins import Plugin
from aeplug.testing import CheckFailed, check_task, isolated_plugins

PLUGINS = isolated_plugins(broken_claims)


@pytest.mark.parametrize(
    ("kind", "name", "capability", "expected", "found"),
    broken_claims.CLAIMS,
    ids=[f"{name}-{capability}" for _, name, capability, *_ in broken_claims.CLAIMS],
)
def test_a_false_claim_is_caught_with_the_reason(kind, name, capability, expected, found):
    host = {"OneSize": "fake-images", "Peeking": "fake-tokens"}.get(name, "fake-vectors")
    task, settings = PLUGINS.task(host), {kind: name}
    if kind == "prepare":
        task, settings = replace(task, prepare=f"broken_claims:{name}"), {}
    if kind == "latent":
        settings["latent.size"] = 4
    with pytest.raises(CheckFailed) as caught:
        check_task(task, plugins=PLUGINS, settings=settings, only=["capabilities"])
    outcome = caught.value.report.of("capabilities")
    assert expected in outcome.expected
    assert found in outcome.found
    assert "\n" not in str(caught.value)


def prior_alone(name: str) -> Plugin:
    (owner,) = [plugin for plugin in PLUGINS.plugins if name in plugin.provides.get("prior", ())]
    return replace(owner, provides={"prior": [name]})


@pytest.mark.parametrize(
    ("name", "expected", "found"),
    [(name, expected, found) for name, _, expected, found in broken_claims.PRIOR_CLAIMS],
)
def test_a_prior_that_is_wrong_is_caught_with_the_reason(name, expected, found):
    outcome = outcome_of("plug-in", "priors", lambda: check_priors(prior_alone(name), PLUGINS))
    assert outcome.status == "failed"
    assert expected in outcome.expected
    assert found in outcome.found


def test_a_right_prior_passes_and_one_of_other_data_is_named():
    assert check_priors(prior_alone("Point"), PLUGINS) == "Point"
    assert "sequence (not of 'fake-vectors': " in check_priors(prior_alone("sequence"), PLUGINS)
    assert check_priors(prior_alone("style"), PLUGINS) == "style (made by a command)"


def test_every_capability_has_a_check_and_a_false_claim_of_it():
    every = {capability for kind in CAPABILITIES.values() for capability in kind}
    assert {*CAPABILITY_CHECKS, *PRIOR_CHECKS} == every
    tried = {capability for _, _, capability, *_ in broken_claims.CLAIMS}
    tried |= {capability for _, capability, *_ in broken_claims.PRIOR_CLAIMS if capability}
    # A shape that is none is met before, where the task is built.
    assert tried == {capability.__name__ for capability in every} - {"ShapedPrepare"}
