"""Muon's orthogonalisation, in the precision that a device is fast in."""

from __future__ import annotations

import pytest
import torch

from aeplug.runtime.distributed import multiplies_bfloat16
from aeplug.training import muon


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("shape", [(3, 20, 50), (2, 50, 20)])
def test_singular_values_are_brought_near_1(monkeypatch, fast, shape):
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda device: fast)
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = muon.orthogonalise(matrices)
    assert result.dtype == matrices.dtype and result.shape == shape
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    rounded = torch.equal(result, result.bfloat16().float())
    assert rounded == fast


def test_a_cpu_without_the_instructions_is_not_fast(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not multiplies_bfloat16.__wrapped__(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert multiplies_bfloat16.__wrapped__(torch.device("cpu"))
