"""How well steering does what it is asked, on items that were not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import DataError
from aeplug.interfaces import Split
from aeplug.model.model import Model
from aeplug.steering.directions import Directions
from aeplug.steering.search import Search, Steered, steer

#: How far others may move as a share of what was asked of the wanted one.
MOST = 1 / 3


@torch.no_grad()
def check(
    model: Model,
    found: Directions,
    split: Split,
    rows: Tensor,
    wanted: str,
    amounts: Sequence[float],
    keep: Sequence[str] | None = None,
    search: Search | None = None,
) -> dict[str, Any]:
    """Steer held-out items and measure what came of it.

    Changes are against the model's own reconstruction of each item, in standard deviations of the
    attribute over the data. Nothing is left out but items without the attribute, which are
    counted; one that stands at the end of what is possible and stays there counts as not moved.

    Args:
        model: whose decoder.
        found: directions, learnt from other items.
        split: the held-out data.
        rows: which of it, int64 ``(n,)``.
        wanted: the attribute's name.
        amounts: in standard deviations, not 0.
        keep: see :func:`aeplug.steering.search.steer`.
        search: see there.

    Returns:
        ``items``, ``undefined``, and under ``amounts`` for each: ``right_way``, the share of items
        whose attribute moved to the side asked for; ``at_limit``, how many have as much (or as
        little) of it already as any item learnt from, and ``right_way_within``, the share of the
        others; ``within_third``, the share of which no
        other kept attribute moved by more than a third of the amount; ``distance``, mean
        Mahalanobis length of the shift; ``moved``: for each attribute the ``mean`` of the change,
        which tells a drift, the ``mean_absolute``, which also tells changes that cancel out over
        items, and ``share``, the mean absolute change as a share of the wanted attribute's.

    Raises:
        DataError: no item has the attribute.
    """
    split = split.to(model.device)
    batch = model.prepare_batch(split.take(rows.to(model.device)))
    latents = model.posterior(batch)[0].mode()
    report: dict[str, Any] = {"items": len(rows), "undefined": 0, "amounts": {}}
    for amount in amounts:
        one = steer(model, found, latents, batch.cond, wanted, amount, keep, search, batch.input)
        decoded = model.decode(latents, batch.cond, input=batch.input)
        had = found.measured(model, decoded, batch.cond)
        defined = ~had[:, found.index(wanted)].isnan()
        report["undefined"] = int((~defined).sum())
        if not defined.any():
            raise DataError(f"'{wanted}' is undefined for all of {len(rows)} items")
        report["amounts"][f"{amount:g}"] = _figures(
            found, one, had[:, found.index(wanted)], defined, wanted, amount, keep
        )
    return report


def _figures(
    found: Directions,
    steered: Steered,
    had: Tensor,
    defined: Tensor,
    wanted: str,
    amount: float,
    keep: Sequence[str] | None,
) -> dict[str, Any]:
    moved = steered.moved[defined]
    column = found.index(wanted)
    # Lost altogether is not moved the right way.
    own = moved[:, column].nan_to_num(0)
    known = found.values[:, column]
    limit = known[~known.isnan()].amax() if amount > 0 else known[~known.isnan()].amin()
    at_limit = (had[defined] >= limit) if amount > 0 else (had[defined] <= limit)
    right = own * amount > 0
    kept = [n for n in found.names if n != wanted and (keep is None or n in keep)]
    others = moved[:, [found.index(name) for name in kept]].nan_to_num(0).abs()
    own_absolute = float(own.abs().mean())
    attributes = {}
    for number, name in enumerate(found.names):
        absolute = float(moved[:, number].abs().nanmean())
        attributes[name] = {
            "mean": float(moved[:, number].nanmean()),
            "mean_absolute": absolute,
            "share": absolute / own_absolute if own_absolute else float("nan"),
        }
    return {
        "right_way": float(right.float().mean()),
        "at_limit": int(at_limit.sum()),
        "right_way_within": 0.0 if at_limit.all() else float(right[~at_limit].float().mean()),
        "within_third": float((others <= abs(amount) * MOST).all(1).float().mean()),
        "distance": float(steered.distance[defined].mean()),
        "moved": attributes,
    }
