"""How well steering works, on items that directions were not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import DataError
from aeplug.interfaces import Split
from aeplug.model.model import Model
from aeplug.steering.directions import Directions
from aeplug.steering.search import SearchSettings, SteeringResult, steer

#: How far held attributes may move, as a share of the amount.
MOST = 1 / 3


@torch.no_grad()
def check_steering(
    model: Model,
    directions: Directions,
    split: Split,
    rows: Tensor,
    target: str,
    amounts: Sequence[float],
    keep: Sequence[str] | None = None,
    search: SearchSettings | None = None,
) -> dict[str, Any]:
    """Steer held-out items and measure the effect.

    Changes are against the model's own reconstruction of each item, in standard deviations of the
    attribute over the data. Items without the attribute are left out and counted; an item that is
    at the end of the attribute's range and stays there counts as not moved.

    Args:
        model: whose decoder.
        directions: directions, learnt from other items.
        split: the held-out data.
        rows: which of it, int64 ``(n,)``.
        target: the attribute's name.
        amounts: in standard deviations, not 0.
        keep: see :func:`aeplug.steering.search.steer`.
        search: see there.

    Returns:
        ``items``, ``undefined``, and under ``amounts`` for each: ``right_way``, the share of items
        whose attribute moved in the direction of the amount; ``at_limit``, how many were at least
        as far in that direction as any item learnt from, and ``right_way_within``, the share of
        the others; ``within_third``, the share of items of which no held attribute moved by more
        than a third of the amount; ``distance``, the mean Mahalanobis length of the shift;
        ``moved``: for each attribute the ``mean`` of the change (a drift), the ``mean_absolute``
        (changes that cancel out over items, too), and ``share``, the mean absolute change as a
        share of the target attribute's.

    Raises:
        DataError: no item has the attribute.
    """
    split = split.to(model.device)
    batch = model.prepare_batch(split.take(rows.to(model.device)))
    latents = model.posterior(batch)[0].mode()
    report: dict[str, Any] = {"items": len(rows), "undefined": 0, "amounts": {}}
    for amount in amounts:
        steered = steer(
            model, directions, latents, batch.cond, target, amount, keep, search, batch.input
        )
        decoded = model.decode(latents, batch.cond, input=batch.input)
        before = directions.measure(model, decoded, batch.cond)
        defined = ~before[:, directions.index(target)].isnan()
        report["undefined"] = int((~defined).sum())
        if not defined.any():
            raise DataError(f"'{target}' is undefined for all of {len(rows)} items")
        report["amounts"][f"{amount:g}"] = _figures(
            directions, steered, before[:, directions.index(target)], defined, target, amount, keep
        )
    return report


def _figures(
    directions: Directions,
    steered: SteeringResult,
    before: Tensor,
    defined: Tensor,
    target: str,
    amount: float,
    keep: Sequence[str] | None,
) -> dict[str, Any]:
    change = steered.change[defined]
    column = directions.index(target)
    # Lost altogether is not moved the right way.
    own = change[:, column].nan_to_num(0)
    values = directions.values[:, column]
    values = values[~values.isnan()]
    limit = values.amax() if amount > 0 else values.amin()
    at_limit = (before[defined] >= limit) if amount > 0 else (before[defined] <= limit)
    right = own * amount > 0
    held = [n for n in directions.names if n != target and (keep is None or n in keep)]
    others = change[:, [directions.index(name) for name in held]].nan_to_num(0).abs()
    own_absolute = float(own.abs().mean())
    attributes = {}
    for number, name in enumerate(directions.names):
        absolute = float(change[:, number].abs().nanmean())
        attributes[name] = {
            "mean": float(change[:, number].nanmean()),
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
