"""The family of autoencoders on MNIST, each a composition by name of the same few parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug import DemoSpec, TaskSpec
from aeplug_image.attribute_specs import ATTRIBUTES

#: A small net for a latent of a few numbers.
SMALL_NET: Mapping[str, Any] = {
    f"{part}.{key}": value
    for part in ("encoder", "decoder")
    for key, value in {"widths": (8, 16, 32, 32), "blocks": (0, 1, 1, 1), "hidden": 256}.items()
}
#: Muon at this rate learns in a few minutes what AdamW learns in many.
TRAINING: Mapping[str, Any] = {
    "train.batch_size": 128,
    "train.optimizer": "muon",
    "train.lr": 5e-3,
    "train.precision": "bf16",
}
#: A plain autoencoder of the default net.
PLAIN: Mapping[str, Any] = {
    "loss.bce": "linear(1, 0, 0.3)",
    "prepare.affine": 0.5,
    "train.epochs": 10,
    **TRAINING,
}


def task(name: str, summary: str, latent: str, loss: str, **more: Any) -> TaskSpec:
    """A task on MNIST, or a folder of images in its stead, with convolutional parts."""
    return TaskSpec(
        name=name,
        summary=summary,
        dataset="mnist",
        folder_dataset="image-folder",
        encoder="conv",
        latent=latent,
        decoder="conv",
        loss=loss,
        codec="image",
        prepare="aeplug_image.prepare:PrepareImages",
        evaluate="aeplug_image.evaluation:evaluate",
        baselines="aeplug_image.evaluation:pca_baseline",
        attributes=ATTRIBUTES,
        weights=f"aeplug_image:weights/{name}",  # of those that have been trained
        **more,
    )


TASKS = (
    task(
        "mnist",
        "digits as 32 numbers: a deterministic convolutional autoencoder",
        "deterministic",
        "mse",
        settings={"latent.size": 32, **PLAIN},
    ),
    task(
        "mnist-30",
        "the same with 30 numbers, to be set beside PCA and Hinton & Salakhutdinov (2006)",
        "deterministic",
        "mse",
        settings={"latent.size": 30, **PLAIN},
    ),
    task(
        "mnist-shape",
        "digits as 32 numbers that tell the shape, not how it stands: features to tell digits by",
        "deterministic",
        "mse",
        settings={
            "latent.size": 32,
            **PLAIN,
            "prepare.affine": 2.0,
            "prepare.affine_share": 0.9,
            "prepare.affine_undone": True,
        },
    ),
    task(
        "mnist-vae",
        "a variational autoencoder of digits; latent of 2, or --set latent=20",
        "gaussian",
        "elbo",
        settings={"latent.size": 2, **SMALL_NET, "train.epochs": 12, **TRAINING},
        demo=DemoSpec(settings={"train.epochs": 4}, order=10),
    ),
    task(
        "mnist-cvae",
        "a conditional one: asked for a digit, z holds the style (Sohn et al., 2015)",
        "gaussian",
        "elbo",
        settings={
            "data.conditional": True,
            "latent.size": 8,
            # What z says beside the class is dear at first, so that z does not say the class too.
            "loss.beta": "linear(4, 1, 0.7)",
            **SMALL_NET,
            "train.epochs": 12,
            **TRAINING,
        },
    ),
    task(
        "mnist-aae",
        "an adversarial autoencoder: a critic shapes the codes into N(0,1) (Makhzani et al., 2015)",
        "adversarial",
        "bce",
        settings={"latent.size": 8, **SMALL_NET, "train.epochs": 12, **TRAINING},
    ),
    task(
        "mnist-binary",
        "a variational one of binarised digits, for log-likelihoods (dynamic binarisation)",
        "gaussian",
        "elbo",
        settings={
            "prepare.binarise": "dynamic",
            "latent.size": 32,
            "loss.beta": "linear(0.2, 1, 0.1)",
            **{
                f"{part}.{key}": value
                for part in ("encoder", "decoder")
                for key, value in {
                    "widths": (16, 32, 64, 64),
                    "blocks": (0, 1, 2, 2),
                    "hidden": 512,
                }.items()
            },
            "train.epochs": 27,
            **TRAINING,
            "train.ema": 0.999,
        },
    ),
)
