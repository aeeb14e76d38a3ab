"""A false claim of a part is caught, with what was expected and what was found."""

from __future__ import annotations

from dataclasses import replace

import broken_claims
import pytest

from aeplug.checks.capabilities import CAPABILITY_CHECKS
from aeplug.interfaces import CAPABILITIES
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


def test_every_capability_has_a_check_and_a_false_claim_of_it():
    every = {capability for kind in CAPABILITIES.values() for capability in kind}
    assert set(CAPABILITY_CHECKS) == every
    tried = {capability for _, _, capability, *_ in broken_claims.CLAIMS}
    # A shape that is none is met before, where the task is built.
    assert tried == {capability.__name__ for capability in every} - {"ShapedPrepare"}
