"""A prior over whole documents: latents of consecutive pieces, of which some return.

An autoencoder's own prior knows single pieces; laid end to end they make no document. This one,
fitted after training to sequences of posteriors (as Mittal et al., ISMIR 2021, fit a diffusion
model to MusicVAE's latents), says piece by piece whether an earlier one returns or a new one comes,
and draws that. What was drawn is decoded and encoded again, so that it goes on from what is there,
not from what was meant; a piece that returns is the earlier one, note for note.

A codec may weigh what can come (:class:`aeplug.interfaces.CandidateCodec`): then those that return
and the new ones are one pool of candidates, from which one is drawn by the model's probability
times the codec's weight. This is importance resampling, and what comes is a sample from the model
under a condition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import ConfigError
from aeplug.interfaces import CandidateCodec, Document, Sampling, supports
from aeplug.model import Model, draw_conditions
from aeplug.runtime import Progress
from aeplug_priors.sequence.critic import Critic
from aeplug_priors.sequence.documents import LONGEST
from aeplug_priors.sequence.network import Encoding, SequenceNetwork
from aeplug_priors.style.prior import StylePrior

#: Candidates that are decoded for each new piece.
CANDIDATES = 64
#: How far they lie from the middle of their component: from this share of what the temperature
#: says, where they are coherent and dull, to all of it, where they are neither.
NEAREST = 0.5
#: Chance of a new piece, below which no candidates are decoded for it.
LEAST_NEW = 0.01
_NETWORK, _CRITIC = "network.", "critic."
#: Between the seeds of two documents.
_SEED_STRIDE = 1_000_003


def spreads(temperature: float, count: int) -> Tensor:
    """Distances of ``count`` candidates from the middle of their component, float32 ``(count, 1)``.

    The greatest, sqrt(temperature), is that of a Gaussian to the power of 1 / temperature.
    """
    share = torch.linspace(NEAREST, 1.0, count) if count > 1 else torch.ones(1)
    return (math.sqrt(temperature) * share).unsqueeze(1)


def document_lengths(count: int) -> list[int]:
    """Lengths of the documents, all but equal, in which so many pieces are made."""
    documents = -(-count // LONGEST)
    return [
        count * (number + 1) // documents - count * number // documents
        for number in range(documents)
    ]


@dataclass(frozen=True)
class Piece:
    """One piece of a document that is being made.

    Attributes:
        data: ``(*shape.target)``.
        returns: number of the earlier piece that it is, -1 of a new one.
    """

    data: Tensor
    returns: int


@dataclass(frozen=True)
class SequencePrior:
    """How documents go on.

    Attributes:
        network: what may come next.
        critic: chooses among candidates of a new piece.
        facts: what it was fitted to and how well, JSON-ready.
    """

    network: SequenceNetwork
    critic: Critic
    facts: Mapping[str, Any]

    kind = "sequence"

    @property
    def size(self) -> int:
        """D."""
        return len(self.network.middle)

    @property
    def conditions(self) -> Mapping[str, int]:
        """Condition's name -> number of classes."""
        return self.network.conditions

    def tensors(self) -> dict[str, Tensor]:
        """Its weights by name, half precision."""
        return {
            **{
                _NETWORK + name: weight.half() for name, weight in self.network.state_dict().items()
            },
            **{_CRITIC + name: weight.half() for name, weight in self.critic.state_dict().items()},
        }

    @property
    def entry(self) -> dict[str, Any]:
        """What else it is made of, JSON-ready."""
        return {
            "size": self.size,
            "conditions": dict(self.conditions),
            "network": self.network.settings,
            **self.facts,
        }

    def generate_documents(
        self,
        model: Model,
        count: int,
        pieces: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """``count`` documents of ``pieces`` pieces each, which end with the last.

        Args:
            model: decodes and encodes.
            count: how many.
            pieces: of each, at least 1.
            seed: of every draw; a document is the same however many follow.
            sampling: how to decode; the temperature also scales latents' distance from the middle.
            cond: condition's name -> class, one for all of a document, or int64 ``(count,)``.

        Raises:
            ConfigError: fewer than one document or piece.
        """
        check_counts(count, pieces)
        classes = draw_conditions(model, cond, count, seed, model.default_prior)
        documents = []
        with Progress(count * pieces, "pieces") as progress:
            for number in range(count):
                own = {name: value[number : number + 1] for name, value in classes.items()}
                draws = seed_draws(model, sampling, seed, number)
                data = []
                for piece in self.pieces(model, pieces, own, draws, style=default_style(model)):
                    data.append(piece.data)
                    progress.update(number * pieces + len(data))
                each = {name: value.expand(pieces) for name, value in own.items()}
                documents.append(model.codec.join(torch.stack(data), each, None))
        return documents

    @torch.no_grad()
    def pieces(
        self,
        model: Model,
        count: int,
        cond: Mapping[str, Tensor],
        sampling: Sampling,
        before: Tensor | None = None,
        before_cond: Mapping[str, Tensor] | None = None,
        before_data: Sequence[Tensor] = (),
        candidates: int = CANDIDATES,
        style: StylePrior | None = None,
    ) -> Iterator[Piece]:
        """``count`` pieces of one document, in order.

        More than :data:`~.documents.LONGEST` are several documents of about one length,
        one after another, as tunes are played in sets: in a single one, which would be longer than
        any that was learnt from, repeats of repeats soon leave no room for what is new.

        Args:
            model: decodes and encodes.
            count: pieces to come; the document is planned to end with the last.
            cond: classes of what comes, int64 ``(1,)`` each.
            sampling: how to decode; its generator is of all draws.
            before: means of the pieces that are there already, ``(P, D)``.
            before_cond: their classes, int64 ``(P,)``.
            before_data: the pieces themselves, as the decoder would give them.
            candidates: decoded for each new piece; 1: the first is taken.
            style: new pieces are drawn from it; which of them fits, is still the critic's to say.
        """
        done = len(before_data)
        for number, length in enumerate(document_lengths(count)):
            first = done if number else 0
            begun = (before, before_cond, before_data) if not number else (None, None, ())
            for piece in self._document(model, length, cond, sampling, *begun, candidates, style):
                done += 1
                yield piece if piece.returns < 0 else replace(piece, returns=piece.returns + first)

    def _document(
        self,
        model: Model,
        count: int,
        cond: Mapping[str, Tensor],
        sampling: Sampling,
        before: Tensor | None,
        before_cond: Mapping[str, Tensor] | None,
        before_data: Sequence[Tensor],
        candidates: int,
        style: StylePrior | None,
    ) -> Iterator[Piece]:
        network, generator = self.network, sampling.generator
        codec = model.codec if supports(model.codec, CandidateCodec) else None
        means = network.middle.new_zeros(0, self.size) if before is None else before
        end = len(means) + count
        whole = torch.tensor([end], device=means.device)
        classes = {
            name: torch.cat([*([before_cond[name]] if before_cond else []), value.expand(count)])
            for name, value in cond.items()
        }
        data = list(before_data)
        for place in range(len(means), end):
            first = max(0, place + 1 - LONGEST)
            # The last is not there yet: nothing looks at what stands for it.
            mean = torch.cat([means[first:], means.new_zeros(1, self.size)])[None]
            known = {name: classes[name][None, first : place + 1] for name in network.conditions}
            encoding = network.encode(mean, network.find_equal_pieces(mean), known, whole, first)
            chances = network.choices(encoding)[0, -1].exp()
            if codec is None:
                # What comes is drawn first: what is not taken need not be decoded.
                drawn = torch.multinomial(chances, 1, generator=generator)
                chances = torch.zeros_like(chances).scatter_(0, drawn, 1.0)
            pool, pool_means, logits = data[first:], means[first:], chances[: place - first].log()
            if chances[-1] > LEAST_NEW:
                new, new_means, odds = self._draw_new(
                    model, encoding, mean, cond, sampling, candidates, style
                )
                pool, pool_means = [*pool, *new], torch.cat([pool_means, new_means])
                logits = torch.cat([logits, odds + chances[-1].log()])
            if codec is not None:
                choices = torch.stack(pool)
                so_far = torch.stack(data) if data else choices[:0]
                own = {name: value[: place + 1] for name, value in classes.items()}
                logits = codec.weigh_candidates(so_far, choices, logits, own, place + 1 == end)
            number = int(torch.multinomial(logits.softmax(0), 1, generator=generator))
            means = torch.cat([means, pool_means[number : number + 1]])
            returns = first + number if number < place - first else -1
            data.append(pool[number])
            yield Piece(data[-1], returns)

    def _draw_new(
        self,
        model: Model,
        encoding: Encoding,
        mean: Tensor,
        cond: Mapping[str, Tensor],
        sampling: Sampling,
        candidates: int,
        style: StylePrior | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Candidates for a new piece, their means, and the critic's log-probabilities ``(C,)``."""
        network, generator = self.network, sampling.generator
        spread = spreads(sampling.temperature, candidates).to(network.middle.device)
        repeated = {name: value.expand(candidates) for name, value in cond.items()}
        if style is not None:
            z = style.sample(candidates, float(spread[-1]), generator, repeated)
        else:
            z = network.density(encoding).sample(candidates, spread, generator, places=1)[0, 0]
        decoded = model.decode(z, repeated, sampling)
        means = model.encode(decoded, repeated)["mean"].float()
        scaled, tried = network.standardize(mean), network.standardize(means)[None, None]
        odds = self.critic(encoding, scaled, tried)[0, 0] / sampling.temperature
        return decoded, means, odds.log_softmax(0)


def restore_sequence(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SequencePrior:
    """The prior of what :attr:`SequencePrior.entry` and :meth:`SequencePrior.tensors` gave.

    Raises:
        KeyError, TypeError, RuntimeError: the two do not fit each other.
    """
    size, conditions, settings = entry["size"], dict(entry["conditions"]), entry["network"]
    network = SequenceNetwork(size, conditions, **settings)
    critic = Critic(size, settings["width"])
    for prefix, module in ((_NETWORK, network), (_CRITIC, critic)):
        state = {
            name.removeprefix(prefix): tensor.float()
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        module.load_state_dict(state)
        module.to(next(iter(tensors.values())).device).eval().requires_grad_(False)
    outside = ("kind", "size", "conditions", "network")
    facts = {name: value for name, value in entry.items() if name not in outside}
    return SequencePrior(network, critic, facts)


def default_style(model: Model) -> StylePrior | None:
    """Of a model that was adapted, what its new pieces are drawn from."""
    prior = model.priors.get(model.default_prior)
    return prior if isinstance(prior, StylePrior) else None


def seed_draws(model: Model, sampling: Sampling, seed: int, number: int) -> Sampling:
    """Draws of a document's own, so that it is the same however many are made."""
    generator = model.generator((seed * _SEED_STRIDE + number) % 2**63)
    return replace(sampling, generator=generator)


def check_counts(count: int, pieces: int) -> None:
    """Raises ConfigError for fewer than one document or piece."""
    if count < 1 or pieces < 1:
        raise ConfigError(f"{count} documents of {pieces} pieces: expected at least 1 of each")
