"""Which of several candidates for the next piece is most like what really comes.

A decoder makes a piece of a draw, and a draw tells it far less than a mean does: keys slip, phrases
do not answer each other. So for each new piece several are drawn and decoded, encoded again, and
one is chosen by how many times likelier it is among real pieces here than among such candidates.
That ratio is what a classifier of the two learns (discriminator rejection sampling, Azadi et al.,
ICLR 2019; here resampled by importance).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug_priors.sequence.layers import FARTHEST, HEADS, Relations
from aeplug_priors.sequence.network import Encoding


class Critic(nn.Module):
    """Log-odds that a candidate is the real next piece.

    The candidate looks for what it answers among the pieces before.

    Args:
        size: D, latent dimensions.
        width: W, of the network whose reading it judges by.
        dropout: share of its hidden units that is left out in training.
    """

    def __init__(self, size: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.piece = nn.Sequential(
            nn.Linear(size, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width)
        )
        self.query = nn.Linear(2 * width, width)
        self.key_value = nn.Linear(2 * width, 2 * width)
        self.lag = nn.Parameter(torch.zeros(HEADS, FARTHEST + 1))
        self.judge = nn.Sequential(
            nn.Linear(4 * width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, 1),
        )

    def forward(self, encoding: Encoding, scaled: Tensor, candidates: Tensor) -> Tensor:
        """Log-odds ``(B, P, C)``.

        Args:
            encoding: of L pieces.
            scaled: those pieces' means in the data's own scale, ``(B, L, D)``.
            candidates: means of C candidates for each of the last P places, in the same scale,
                ``(B, P, C, D)``.
        """
        pieces, tried = self.piece(scaled), self.piece(candidates)
        count, places, several, width = tried.shape
        hidden = encoding.hidden[:, -places:].unsqueeze(2).expand(-1, -1, several, -1)
        query = self.query(torch.cat([tried, hidden], -1))
        known = self.key_value(torch.cat([pieces, encoding.hidden], -1))
        # One place more, of nothing, for the first piece has none before it.
        known = functional.pad(known, (0, 0, 0, 1))
        key, value = (
            part.view(count, known.shape[1], HEADS, -1).transpose(1, 2)
            for part in known.chunk(2, dim=-1)
        )
        query = query.view(count, places * several, HEADS, -1).transpose(1, 2)
        bias = self._bias(encoding.relations)[:, -places:].repeat_interleave(several, 1)
        seen = functional.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))
        seen = seen.transpose(1, 2).reshape(count, places, several, width)
        judged = self.judge(torch.cat([tried, hidden, seen, tried * seen], -1))
        odds: Tensor = judged.squeeze(-1).float()
        return odds

    def _bias(self, relations: Relations) -> Tensor:
        bias = self.lag[:, relations.lag].masked_fill(~relations.before, float("-inf"))
        return functional.pad(bias, (0, 1))
