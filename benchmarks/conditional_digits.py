"""Whether a conditional model draws the digit it is asked for.

A small convolutional classifier is trained on real digits (MNIST's training split, a minute on a
CPU core), its accuracy on real test digits is printed, and then it judges: samples of each class,
and test digits that the model wrote again as another class.

    python benchmarks/conditional_digits.py
    python benchmarks/conditional_digits.py runs/my-cvae --samples 5000
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

import aeplug
from aeplug.data import epoch_order, open_dataset
from aeplug.interfaces import Split

BATCH, EPOCHS, RATE = 128, 3, 4e-3


def trained_judge(split: Split) -> nn.Module:
    """A classifier of images ``(B, 1, 28, 28)`` in 0..1: logits ``(B, 10)``."""
    torch.manual_seed(0)
    judge = nn.Sequential(
        *(nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    optimizer = torch.optim.AdamW(judge.parameters(), RATE)
    steps = EPOCHS * (len(split) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for epoch in range(EPOCHS):
        order = epoch_order(len(split), 0, epoch)
        for start in range(0, len(split) - BATCH + 1, BATCH):
            raw = split.take(order[start : start + BATCH])
            logits = judge(raw["image"].float() / 255)
            loss = nn.functional.cross_entropy(logits, raw["label"].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return judge.eval()


@torch.no_grad()
def told(judge: nn.Module, images: Tensor) -> Tensor:
    """The judge's digits, int64 ``(B,)``."""
    return torch.cat([judge(part.float().cpu()).argmax(1) for part in images.split(1000)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="mnist-cvae")
    parser.add_argument("--samples", type=int, default=5000)
    settings = parser.parse_args()
    model = aeplug.load(settings.model)
    dataset = open_dataset(model.config)
    test = dataset.split("test")
    real = test.take(torch.arange(len(test)))
    judge = trained_judge(dataset.split("train"))
    right = told(judge, real["image"].float() / 255) == real["label"]
    print(f"judge, on {len(right)} real test digits: {right.float().mean():.4f}")

    asked = torch.arange(settings.samples) % 10
    drawn = told(judge, model.sample(settings.samples, seed=1, cond={"digit": asked}))
    by_digit = [f"{(drawn[asked == digit] == digit).float().mean():.3f}" for digit in range(10)]
    print(
        f"{settings.samples} samples that are the digit asked for: "
        f"{(drawn == asked).float().mean():.4f}"
    )
    print("by digit:", " ".join(by_digit))

    images = real["image"][:1000].float() / 255
    wanted = (real["label"][:1000].long() + 1 + torch.arange(1000) % 9) % 10
    changed = told(judge, model.reconstruct(images, to={"digit": wanted}))
    print(f"1000 test digits written as another: {(changed == wanted).float().mean():.4f}")


if __name__ == "__main__":
    main()
