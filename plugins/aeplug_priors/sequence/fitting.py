"""Fitting a :class:`~aeplug_priors.sequence.prior.SequencePrior`: first the network, then a critic.

Pointer and density have trunks of their own, learn side by side and are each kept as they were
when held-out documents fitted them best. The density is of the pieces that do not return, of their
means and a share of the posteriors' noise: a draw's whole noise hides what must hold together over
pieces (of melodies it leaves the key in 56 % of windows, a half in 84 %), while of the bare means
no density of so few components has the shape.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.data import choose_split
from aeplug.errors import AeplugError, ConfigError
from aeplug.interfaces import Dataset, Sampling
from aeplug.model import Model
from aeplug.runtime import Progress
from aeplug.training import ScheduledAdamW
from aeplug_priors.sequence.baselines import measure_baselines
from aeplug_priors.sequence.critic import Critic
from aeplug_priors.sequence.documents import NOISE, Documents, Sequences, latent_sequences
from aeplug_priors.sequence.network import SAME, Encoding, SequenceNetwork
from aeplug_priors.sequence.prior import SequencePrior, spreads

#: Pieces that are looked at in training, of the network and of the critic.
SEEN, CRITIC_SEEN = 800_000, 420_000
#: Most and least passes through the documents.
PASSES = (4, 60)
#: Times that the documents are encoded, each time altered as a whole.
ALTERED = 6
#: Pieces of a batch: a share of all, within bounds.
PIECES, LEAST_PIECES, BATCHES = 512, 32, 16
#: Minimum number of documents.
FEWEST = 8
LR, WARMUP, DECAY, BETA2, CLIP = 1.5e-3, 100, 0.1, 0.98, 1.0
#: Parameters that do not decay: tables of biases.
TABLES = ("lag", "matched")
#: Candidates that the critic learns from, of a share of the new pieces.
CANDIDATES, CANDIDATES_FOR = 2, 60_000


@dataclass
class _Terms:
    """Log-probabilities of pieces, nats, each ``(B, L)``.

    Attributes:
        choice: that an equal piece returns, or a new one comes.
        density: of its latent.
        returns: whether it was there before.
        right: whether the likeliest choice is right.
    """

    choice: Tensor
    density: Tensor
    returns: Tensor
    right: Tensor


def fit_sequence_prior(
    model: Model,
    dataset: Dataset,
    split: str,
    seed: int,
    *,
    seen: int = SEEN,
    critic_seen: int = CRITIC_SEEN,
    **settings: Any,
) -> SequencePrior:
    """Fit a prior to the documents of a split.

    Args:
        model: whose latents.
        dataset: whose split.
        split: its name.
        seed: of every draw.
        seen: pieces to learn from, documents counted as often as they are seen.
        critic_seen: the same of the critic.
        settings: of :class:`aeplug_priors.sequence.network.SequenceNetwork`.

    Raises:
        ConfigError: the data set knows no documents, there are too few, or the latent is no vector.
        DataError: there is no such split.
    """
    choose_split(dataset, split)
    first = latent_sequences(model, dataset, split)
    if len(first) < FEWEST:
        raise ConfigError(
            f"{len(first)} documents are too few to learn from how they go on: at least {FEWEST}"
        )
    passes = min(max(seen // len(first.mean), PASSES[0]), PASSES[1])
    draws = torch.Generator().manual_seed(seed)
    data = [first]
    data += [
        latent_sequences(model, dataset, split, draws) for _ in range(min(ALTERED, passes) - 1)
    ]
    held_out = _encode_held_out(model, dataset, split)
    conditions = {name: len(classes) for name, classes in model.shape.conditions.items()}
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = SequenceNetwork(first.mean.shape[1], conditions, **settings).to(model.device)
        critic = Critic(first.mean.shape[1], network.settings["width"]).to(model.device)
        network.fit_scales(
            torch.cat([sequences.mean for sequences in data]),
            torch.cat([sequences.noise for sequences in data]),
            NOISE,
        )
        bf16 = model.config.train.precision == "bf16"
        fit = _Fit(model, network, critic, draws, bf16, len(first.mean))
        fit.fit_network(data, held_out, passes)
        fit.fit_critic(data, held_out, max(1, critic_seen // len(first.mean)))
    facts: dict[str, Any] = {"items": len(first), "pieces": len(first.mean), "split": split}
    facts |= {"seed": seed, "passes": passes}
    if held_out is not None:
        facts |= fit.figures(held_out) | measure_baselines(network, data, held_out, seed)
        facts["critic_right"] = fit.critic_right
    for module in (network, critic):
        module.eval().requires_grad_(False)
    return SequencePrior(network, critic, facts)


class _Fit:
    def __init__(
        self,
        model: Model,
        network: SequenceNetwork,
        critic: Critic,
        draws: torch.Generator,
        bf16: bool,
        pieces: int,
    ) -> None:
        self.model, self.network, self.critic = model, network, critic
        self.draws, self.noise, self.bf16 = draws, model.generator(draws.initial_seed()), bf16
        #: Of a batch.
        self.pieces = min(max(pieces // BATCHES, LEAST_PIECES), PIECES)
        #: Share of held-out pieces that the critic takes for likelier than a candidate.
        self.critic_right = math.nan

    # The network

    def fit_network(self, data: list[Sequences], held_out: Sequences | None, passes: int) -> None:
        network = self.network
        pointer_parts = {"pointer_trunk", "pointer", "new_piece_head"}
        best: dict[bool, tuple[float, dict[str, Tensor]]] = {}
        optimizer = _optimizer(network, passes * sum(1 for _ in data[0].batches(self.pieces)))
        with Progress(optimizer.steps, "steps") as progress:
            for number in range(passes):
                network.train()
                sequences = data[number % len(data)]
                for chosen in sequences.batches(self.pieces, self.draws):
                    documents = sequences.pad(chosen)
                    terms = self.terms(documents, altered=True)
                    new = documents.real & ~terms.returns
                    loss = -terms.choice[documents.real].mean()
                    if new.any():
                        loss = loss - 0.3 * terms.density[new].mean()
                    optimizer.step(loss)
                    progress.update(optimizer.done)
                if held_out is None:
                    continue
                figures = self.figures(held_out)
                for is_pointer, name in ((True, "choice_nats"), (False, "density_nats")):
                    value = figures[name] if is_pointer else -figures[name]
                    if is_pointer not in best or value < best[is_pointer][0]:
                        state = {
                            key: weight.clone()
                            for key, weight in network.state_dict().items()
                            if (key.split(".")[0] in pointer_parts) == is_pointer
                        }
                        best[is_pointer] = (value, state)
        if best:
            network.load_state_dict({**best[True][1], **best[False][1]})

    def terms(
        self,
        documents: Documents,
        *,
        altered: bool = False,
        generator: torch.Generator | None = None,
    ) -> _Terms:
        """What the network makes of documents; ``altered``: of their content a little blurred."""
        network, mean = self.network, documents.mean
        encoding, same = self.encode(documents, altered=altered)
        with self.autocast():
            choices, density = network.choices(encoding), network.density(encoding)
        equal = same & encoding.relations.before
        returns = equal.any(-1)
        copied = choices[..., :-1].masked_fill(~equal, -1e9).logsumexp(-1)
        noise = torch.empty_like(mean).normal_(generator=generator or self.noise)
        likeliest = functional.one_hot(choices.argmax(-1), choices.shape[-1]).bool()
        return _Terms(
            torch.where(returns, copied, choices[..., -1]),
            density.log_prob(mean + NOISE * documents.noise * noise),
            returns,
            (likeliest & torch.cat([equal, ~returns.unsqueeze(-1)], -1)).any(-1),
        )

    def encode(self, documents: Documents, *, altered: bool = False) -> tuple[Encoding, Tensor]:
        """The network's reading, and which pieces are equal."""
        mean = documents.mean
        same = self.network.find_equal_pieces(mean)
        if altered:
            # Else it knows the documents by heart before it knows how they go.
            strength = NOISE * torch.rand(len(mean), 1, 1, device=mean.device, generator=self.noise)
            noise = torch.empty_like(mean).normal_(generator=self.noise)
            mean = mean + strength * documents.noise * noise
        with self.autocast():
            return self.network.encode(mean, same, documents.cond, documents.whole), same

    @torch.no_grad()
    def figures(self, sequences: Sequences) -> dict[str, float]:
        """Means over pieces: nats, and shares of choices that are right."""
        self.network.eval()
        # The same draws each time, so that only the network differs.
        generator = self.model.generator(0)
        sums = dict.fromkeys(("pieces", "returns", "choice", "density", "right", "found"), 0.0)
        for chosen in sequences.batches(4 * PIECES):
            documents = sequences.pad(chosen)
            terms = self.terms(documents, generator=generator)
            again = terms.returns & documents.real
            sums["pieces"] += float(documents.real.sum())
            sums["returns"] += float(again.sum())
            sums["choice"] -= float(terms.choice[documents.real].double().sum())
            sums["density"] += float(terms.density[documents.real & ~again].double().sum())
            sums["right"] += float(terms.right[documents.real].sum())
            sums["found"] += float(terms.right[again].sum())
        pieces, again_count = sums["pieces"], sums["returns"]
        return {
            "heldout_items": len(sequences),
            "heldout_pieces": int(pieces),
            "return_share": again_count / pieces,
            "choice_nats": sums["choice"] / pieces,
            "choice_right": sums["right"] / pieces,
            "returns_found": sums["found"] / max(again_count, 1.0),
            "density_nats": sums["density"] / max(pieces - again_count, 1.0),
        }

    # The critic

    def fit_critic(self, data: list[Sequences], held_out: Sequences | None, passes: int) -> None:
        self.network.eval().requires_grad_(False)
        others = [self.others(data, number) for number in range(len(data))]
        share = CANDIDATES_FOR / sum(len(sequences.mean) for sequences in data)
        tried = [self.candidates(sequences, share) for sequences in data]
        judged = self.candidates(held_out, 1.0) if held_out is not None else None
        best: tuple[float, dict[str, Tensor]] | None = None
        optimizer = _optimizer(self.critic, passes * sum(1 for _ in data[0].batches(self.pieces)))
        with Progress(optimizer.steps, "steps") as progress:
            for number in range(passes):
                self.critic.train()
                which = number % len(data)
                for chosen in data[which].batches(self.pieces, self.draws):
                    documents = data[which].pad(chosen)
                    odds = self.judge(documents, tried[which], others[which], altered=True)
                    progress.update(optimizer.done + 1)
                    optimizer.step(_classify(odds))
                if judged is None:
                    continue
                assert held_out is not None
                self.critic.eval()
                with torch.no_grad():
                    batches = [
                        self.judge(held_out.pad(chosen), judged)
                        for chosen in held_out.batches(4 * PIECES)
                    ]
                odds = torch.cat(batches)
                value = float(_classify(odds))
                if best is None or value < best[0]:
                    best = (value, copy.deepcopy(self.critic.state_dict()))
                    self.critic_right = float((odds[:, :1] > odds[:, 1:]).float().mean())
        if best is not None:
            self.critic.load_state_dict(best[1])

    @torch.no_grad()
    def candidates(self, sequences: Sequences, share: float) -> dict[str, Tensor]:
        """Means of candidates for some new pieces, ``(N, C, D)``, and which, bool ``(N,)``."""
        model, network = self.model, self.network
        size = sequences.mean.shape[1]
        means_of = sequences.mean.new_zeros(len(sequences.mean), CANDIDATES, size).half()
        known = torch.zeros(len(means_of), dtype=torch.bool, device=means_of.device)
        temperature = model.spec.sampling.temperature
        sampling = Sampling(temperature, generator=self.noise)
        spread = spreads(temperature, CANDIDATES).to(model.device)
        with Progress(len(sequences), "documents") as progress:
            done = 0
            for chosen in sequences.batches(PIECES):
                documents = sequences.pad(chosen)
                encoding, same = self.encode(documents)
                new = documents.real & ~(same & encoding.relations.before).any(-1)
                new &= torch.rand(new.shape, device=new.device, generator=self.noise) < share
                with self.autocast():
                    density = network.density(encoding)
                z = density.sample(CANDIDATES, spread, self.noise)[new]
                cond = {
                    name: classes[new].repeat_interleave(CANDIDATES)
                    for name, classes in documents.cond.items()
                }
                if len(z):
                    made = model.decode(z.flatten(0, 1), cond, sampling)
                    means = model.encode(made, cond)["mean"].view(-1, CANDIDATES, size)
                    means_of[documents.rows[new]] = means.half()
                    known[documents.rows[new]] = True
                done += len(chosen)
                progress.update(done)
        return {"mean": means_of, "known": known}

    def others(self, data: list[Sequences], number: int) -> Tensor | None:
        """The pieces ``(N, D)`` of the same documents, altered otherwise; None where none are.

        What makes them unfit is only what a document has as a whole, as tunes have a key.
        """
        if len(data) < 2:
            return None
        mean, other = data[number].mean, data[number - 1].mean
        distance = ((mean - other) / self.network.noise).square().sum(1) / 2
        # Here and there two alterations are the same: then it is no other.
        return torch.where((distance > SAME)[:, None], other, torch.nan)

    def judge(
        self,
        documents: Documents,
        tried: Mapping[str, Tensor],
        other: Tensor | None = None,
        *,
        altered: bool = False,
    ) -> Tensor:
        """Log-odds ``(n, 1 + C)`` of real pieces, first, and candidates, where there are any."""
        network, rows = self.network, documents.rows
        where = documents.real & tried["known"][rows]
        with torch.no_grad():
            encoding, _ = self.encode(documents, altered=altered)
        candidates = [documents.mean.unsqueeze(2), tried["mean"][rows].float()]
        if other is not None:
            # Nothing before tells the first piece's key from another.
            differs = other[rows].isfinite().all(-1, keepdim=True)
            differs[:, 0] = False
            another = torch.where(differs, other[rows], candidates[1][:, :, 0])
            candidates.append(another.unsqueeze(2))
        with self.autocast():
            odds: Tensor = self.critic(
                encoding,
                network.standardize(documents.mean),
                network.standardize(torch.cat(candidates, 2)),
            )
        return odds[where]

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16)


def _optimizer(module: nn.Module, steps: int) -> ScheduledAdamW:
    return ScheduledAdamW(
        module,
        steps,
        LR,
        warmup=min(WARMUP, 1 + steps // 10),
        weight_decay=DECAY,
        beta2=BETA2,
        clip=CLIP,
        undecayed=TABLES,
    )


def _classify(odds: Tensor) -> Tensor:
    """Cross-entropy of real ones, first in each row, against candidates, nats."""
    if not len(odds):
        return odds.sum() * 0.0
    real, tried = functional.softplus(-odds[:, 0]), functional.softplus(odds[:, 1:])
    return real.mean() + tried.mean()


def _encode_held_out(model: Model, dataset: Dataset, split: str) -> Sequences | None:
    try:
        return latent_sequences(model, dataset, "val" if split != "val" else "test")
    except AeplugError:
        return None  # a folder too small to have one
