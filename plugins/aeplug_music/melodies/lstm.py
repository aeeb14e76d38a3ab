"""MusicVAE's own encoder and decoder (Roberts et al., ICML 2018), flat form.

The encoder is a bidirectional LSTM whose last states are the features; the decoder a stack of LSTMs
that starts from ``tanh(linear(z))`` and sees z and the previous token at every step, with scheduled
sampling.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, Schedule, setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug_music.nets.token_output import TokenOutput, draw_token
from aeplug_music.nets.window_shape import count_bars, lengths_by_metre
from aeplug_music.score.tokens import CLASSES, HOLD


class BiLSTMConfig(PartConfig):
    """Settings of the encoder."""

    hidden: int = setting(512, "units of each direction", unit="units", ge=1)
    layers: int = setting(1, "stacked LSTMs", unit="layers", ge=1)


class BiLSTMEncoder(nn.Module):
    """Last states of a bidirectional LSTM over one-hot tokens."""

    Config = BiLSTMConfig

    def __init__(self, config: BiLSTMConfig, shape: DataShape) -> None:
        super().__init__()
        count_bars(shape)
        self.register_buffer("lengths", lengths_by_metre(shape), persistent=False)
        self.lengths: Tensor
        self.forwards = nn.LSTM(CLASSES, config.hidden, config.layers, batch_first=True)
        self.backwards = nn.LSTM(CLASSES, config.hidden, config.layers, batch_first=True)
        self.features_shape: tuple[int, ...] = (2 * config.hidden,)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """Tokens int64 ``(B, T)``, metre in ``context.cond`` -> ``(B, 2 * hidden)``."""
        metre = context.cond["metre"] if context else torch.zeros_like(input[:, 0])
        last = (self.lengths[metre] - 1).unsqueeze(1)
        steps = torch.arange(input.shape[1], device=input.device)
        # The backward direction begins at each window's own end: padding comes last in both.
        mirrored = input.gather(1, (last - steps).clamp(min=0))
        ends = [
            _take_state(lstm(functional.one_hot(tokens, CLASSES).float())[0], last)
            for lstm, tokens in ((self.forwards, input), (self.backwards, mirrored))
        ]
        return torch.cat(ends, 1)


class LSTMDecoderConfig(PartConfig):
    """Settings of the decoder."""

    hidden: int = setting(256, "units per layer", unit="units", ge=1)
    layers: int = setting(2, "stacked LSTMs", unit="layers", ge=1)
    own_prob: Schedule = setting(
        Schedule.parse(0.0),
        "scheduled sampling: probability that a step in training sees the model's own token "
        "in place of the true one; inverse-sigmoid(K) as in MusicVAE",
    )


class LSTMDecoder(nn.Module):
    """LSTMs from ``tanh(linear(z))``, with z and the previous token as input of every step."""

    Config = LSTMDecoderConfig

    def __init__(
        self, config: LSTMDecoderConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        count_bars(shape)
        self.steps = shape.target[0]
        self.register_buffer("lengths", lengths_by_metre(shape), persistent=False)
        self.lengths: Tensor
        size = math.prod(latent_shape)
        self.layers, self.hidden = config.layers, config.hidden
        self.scheduled = config.own_prob != Schedule.parse(0.0)
        self.begin = nn.Linear(size, 2 * config.layers * config.hidden)
        self.lstm = nn.LSTM(CLASSES + size, config.hidden, config.layers, batch_first=True)
        self.logits = nn.Linear(config.hidden, CLASSES)

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> TokenOutput:
        """Latents ``(B, D)`` and ``context.target`` for teacher forcing -> logits."""
        assert context.target is not None
        z = z.flatten(1)
        if self.training and self.scheduled:
            return TokenOutput(
                self._forward_scheduled(z, context.target, schedule_values["own_prob"])
            )
        before = functional.one_hot(context.target, CLASSES).to(z.dtype)
        # Before the window: a row of zeros, as in MusicVAE.
        before = functional.pad(before[:, :-1], (0, 0, 1, 0))
        repeated = z.unsqueeze(1).expand(-1, self.steps, -1)
        states, _ = self.lstm(torch.cat([before, repeated], -1), self._initial_state(z))
        return TokenOutput(self.logits(states))

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Tokens int64 ``(B, T)``; steps beyond the metre's length are 0."""
        z = z.flatten(1)
        lengths = self.lengths[context.cond["metre"]]
        state, before = self._initial_state(z), z.new_zeros(len(z), CLASSES)
        tokens = torch.full((len(z), self.steps), HOLD, dtype=torch.long, device=z.device)
        for step in range(int(lengths.max())):
            logits, state = self._step(before, z, state)
            tokens[:, step] = draw_token(sampling.add_bias(logits, step), sampling)
            before = functional.one_hot(tokens[:, step], CLASSES).to(z.dtype)
        counts = torch.arange(self.steps, device=z.device) < lengths.unsqueeze(1)
        return torch.where(counts, tokens, HOLD)

    def _forward_scheduled(self, z: Tensor, target: Tensor, own_prob: Tensor) -> Tensor:
        """Scheduled sampling: a step may see the model's own token (Bengio et al., 2015)."""
        state, before = self._initial_state(z), z.new_zeros(len(z), CLASSES)
        all_logits = []
        for step in range(self.steps):
            logits, state = self._step(before, z, state)
            all_logits.append(logits)
            own = torch.multinomial(logits.detach().float().softmax(-1), 1).squeeze(1)
            chosen = torch.rand(len(z), device=z.device) < own_prob
            token = torch.where(chosen, own, target[:, step])
            before = functional.one_hot(token, CLASSES).to(z.dtype)
        return torch.stack(all_logits, 1)

    def _initial_state(self, z: Tensor) -> tuple[Tensor, Tensor]:
        states = torch.tanh(self.begin(z)).reshape(len(z), 2, self.layers, self.hidden)
        hidden, cell = states.permute(1, 2, 0, 3).contiguous().unbind(0)
        return hidden, cell

    def _step(
        self, before: Tensor, z: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, state = self.lstm(torch.cat([before, z], -1).unsqueeze(1), state)
        return self.logits(output[:, 0]), state


def _take_state(states: Tensor, step: Tensor) -> Tensor:
    """States ``(B, T, H)`` at each item's own step ``(B, 1)`` -> ``(B, H)``."""
    index = step.unsqueeze(2).expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)
