"""Windows of drums -> features: an MLP per bar, and bars merged up a tree."""

from __future__ import annotations

from torch import Tensor, nn

from aeplug.config import setting
from aeplug.interfaces import Context, DataShape
from aeplug_music.drums.kit import BAR, DRUMS
from aeplug_music.drums.window_shape import INPUT_VALUES, combination_to_bits, count_bars
from aeplug_music.nets.hierarchy import Gatherer, ResidualMLP, TreeConfig


class DrumEncoderConfig(TreeConfig):
    """Settings of the encoder."""

    width: int = setting(320, "width of the window's vector", unit="units", ge=1)


class DrumEncoder(nn.Module):
    """An MLP over the concatenated values of a bar; then up the tree of :class:`Gatherer`."""

    Config = DrumEncoderConfig

    def __init__(self, config: DrumEncoderConfig, shape: DataShape) -> None:
        super().__init__()
        self.bars, width = count_bars(shape), config.width
        self.tokens = bool(shape.classes)
        levels, widths = config.tree(self.bars)
        bar_width = widths[-1]
        self.read = nn.Linear(BAR * (DRUMS if self.tokens else INPUT_VALUES), bar_width)
        self.bar_layers = nn.Sequential(
            *(ResidualMLP(bar_width, config.hidden) for _ in range(config.layers))
        )
        self.gatherer = Gatherer(levels, widths, config.hidden, config.layers)
        self.norm = nn.LayerNorm(width)
        self.features_shape: tuple[int, ...] = (width,)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """Combinations int64 ``(B, T)``, or values ``(B, T, 31)`` -> ``(B, width)``."""
        values = combination_to_bits(input) - 0.25 if self.tokens else input
        by_bar = values.unflatten(1, (self.bars, BAR)).flatten(2)
        return self.norm(self.gatherer(self.bar_layers(self.read(by_bar))))
