"""The signals, their encoder, and how well faults stand out."""

import torch
from torch import nn

from aeplug.config import PartConfig, setting
from aeplug.data import TensorSplit
from aeplug.interfaces import DataShape


class Signals:
    class Config(PartConfig):
        faults: float = setting(0.2, "share of test signals with a fault", ge=0, le=1)

    def __init__(self, config):
        self.config, self.shape = config, DataShape((128,), (128,))

    def split(self, name):
        draw = torch.Generator().manual_seed(["train", "val", "test"].index(name))
        pitch, phase, at, chance = torch.rand(
            4, 4000 if name == "train" else 800, 1, generator=draw
        )
        time = torch.linspace(0, 1, 128)
        signal = 0.5 + 0.4 * torch.sin(6.28 * ((2 + 3 * pitch) * time + phase))
        fault = chance < (self.config.faults if name == "test" else 0.0)
        stuck = fault & ((time - at).abs() < 0.08)  # the sensor sticks where it is for a while
        signal = torch.where(stuck, signal.gather(1, (at * 127).long()), signal)
        return TensorSplit({"array": signal, "fault": fault[:, 0].long()})


class Encoder(nn.Sequential):
    features_shape = (16, 8)

    def __init__(self, config, shape):
        super().__init__(nn.Conv1d(1, 8, 9, 4, 4), nn.GELU(), nn.Conv1d(8, 16, 9, 4, 4), nn.GELU())

    def forward(self, input, context=None):  # (B, 128) -> (B, 16, 8)
        return super().forward(input.unsqueeze(1))


def find_faults(model, split, options):
    """AUROC of the reconstruction error: the chance that a fault's is the larger of two."""
    errors = [
        (model.reconstruct(b.input) - b.target).square().mean(1) for b in model.batches(split)
    ]
    error, fault = torch.cat(errors).cpu(), split.take(torch.arange(len(split)))["fault"].bool()
    above = error[fault].unsqueeze(1) > error[~fault]
    return {"auroc": float(above.float().mean()), "faults": int(fault.sum())}
