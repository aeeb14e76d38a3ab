"""Documents as latents of their consecutive pieces: what a model of sequences learns from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.data import INFERENCE_BATCH, count_pieces
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import Dataset, SequencedDataset, supports
from aeplug.latents import CodesPosterior
from aeplug.model import Model
from aeplug.runtime import Progress

#: Pieces of a document that are looked at together; longer ones are cut.
LONGEST = 128
#: Share of the posteriors' noise in what a density of new pieces is of.
NOISE = 0.5
#: Standard deviation given to codes without a posterior's, as a share of the codes' own.
CODE_NOISE = 0.05


@dataclass
class Sequences:
    """Documents, one after another.

    Attributes:
        mean: exact content, means of the pieces' posteriors, float32 ``(N, D)``.
        noise: the posteriors' standard deviations, ``(N, D)``.
        cond: condition's name -> classes, int64 ``(N,)``.
        counts: pieces of each document, at least 1, int64 ``(M,)``.
        whole: pieces of the document that it is the beginning of; 0: not known; ``(M,)``.
    """

    mean: Tensor
    noise: Tensor
    cond: Mapping[str, Tensor]
    counts: Tensor
    whole: Tensor

    def __len__(self) -> int:
        return len(self.counts)

    def pad(self, chosen: Tensor) -> Documents:
        """Some documents as rows of one length; ``chosen`` are their numbers, int64 ``(B,)``."""
        counts = self.counts[chosen]
        place = torch.arange(int(counts.max()), device=counts.device)
        first = (self.counts.cumsum(0) - self.counts)[chosen]
        rows = (first[:, None] + place).clamp(max=len(self.mean) - 1)
        return Documents(
            self.mean[rows],
            self.noise[rows],
            {name: classes[rows] for name, classes in self.cond.items()},
            place < counts[:, None],
            self.whole[chosen],
            rows,
        )

    def batches(self, pieces: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Numbers of all documents, in groups of some ``pieces``, those of one length together.

        With a generator groups and their order are drawn anew.
        """
        counts = self.counts.cpu()
        keys = counts.float()
        if generator is not None:
            keys = keys + 4 * torch.rand(len(keys), generator=generator)
        groups: list[list[int]] = [[]]
        for number in keys.argsort(stable=True).tolist():
            # The last has the most pieces, or nearly: sizes ascend but for the draws.
            if groups[-1] and int(counts[number]) * (len(groups[-1]) + 1) > pieces:
                groups.append([])
            groups[-1].append(number)
        order = range(len(groups))
        if generator is not None:
            order = torch.randperm(len(groups), generator=generator).tolist()  # type: ignore[assignment]
        for group in order:
            yield torch.tensor(groups[group], device=self.counts.device)


@dataclass
class Documents:
    """B documents of up to L pieces.

    Attributes:
        mean, noise: ``(B, L, D)``; what lies behind a document's end is any other's.
        cond: int64 ``(B, L)`` each.
        real: which places are a document's, bool ``(B, L)``.
        whole: see :class:`Sequences`, ``(B,)``.
        rows: numbers of the pieces, ``(B, L)``.
    """

    mean: Tensor
    noise: Tensor
    cond: Mapping[str, Tensor]
    real: Tensor
    whole: Tensor
    rows: Tensor


@torch.no_grad()
def latent_sequences(
    model: Model, dataset: Dataset, split: str, generator: torch.Generator | None = None
) -> Sequences:
    """The documents of a split through the encoder.

    Args:
        model: whose encoder.
        dataset: what the split is of.
        split: its name.
        generator: documents are altered as a whole by draws of it, as far as the data set does.

    Raises:
        ConfigError: the data set knows no documents, or latents are no vectors of numbers.
        DataError: there is no such split, or it holds no document.
    """
    _ = model.latent_size
    if not supports(dataset, SequencedDataset):
        raise ConfigError(
            f"the data of '{model.spec.name}' are single items: there are no documents to learn "
            f"from how they go on"
        )
    raw, counts = dataset.sequences(split, generator)
    if not len(counts):
        raise DataError(f"split '{split}' holds no document of whole pieces")
    assert count_pieces(raw) == int(counts.sum())
    means, noises = [], []
    cond: dict[str, list[Tensor]] = {}
    with Progress(count_pieces(raw), "pieces") as progress:
        for start in range(0, count_pieces(raw), INFERENCE_BATCH):
            part = {name: rows[start : start + INFERENCE_BATCH] for name, rows in raw.items()}
            batch = model.prepare_batch(
                {name: rows.to(model.device) for name, rows in part.items()}
            )
            posterior, _ = model.posterior(batch)
            if isinstance(posterior, CodesPosterior):
                raise ConfigError(
                    f"latents of '{model.spec.name}' are codes of a finite set, not numbers: "
                    f"no density goes through them"
                )
            statistics = posterior.statistics()
            mean = statistics.get("mean", posterior.mode()).float()
            means.append(mean)
            deviation = (
                (0.5 * statistics["logvar"].float()).exp() if "logvar" in statistics else None
            )
            noises.append(torch.full_like(mean, -1.0) if deviation is None else deviation)
            for name, classes in batch.cond.items():
                cond.setdefault(name, []).append(classes)
            progress.update(start + len(mean))
    mean, noise = torch.cat(means), torch.cat(noises)
    if not torch.isfinite(mean).all():
        raise ConfigError(f"latents of '{model.spec.name}' are not finite: no density fits them")
    if (noise < 0).any():
        noise = (CODE_NOISE * mean.std(0, correction=0) + 1e-6).expand_as(mean)
    joined = {name: torch.cat(classes) for name, classes in cond.items()}
    lengths, whole = _cut_long(counts.tolist())
    device = model.device
    return Sequences(mean, noise, joined, lengths.to(device), whole.to(device))


def _cut_long(counts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Lengths of documents with the long ones cut, and of how long a one each is the beginning."""
    lengths, whole = [], []
    for count in counts:
        parts = [LONGEST] * (count // LONGEST) + ([count % LONGEST] if count % LONGEST else [])
        lengths += parts
        whole += [count if len(parts) == 1 else 0] * len(parts)
    return torch.tensor(lengths), torch.tensor(whole)
