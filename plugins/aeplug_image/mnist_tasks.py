"""The family of autoencoders on MNIST, each a composition by name of the same few parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug import AttributeSpec, DemoSpec, TaskSpec
from aeplug_image.compositions import TRAINING, mirrored_net

#: What can be measured of digits and other drawings.
ATTRIBUTES = tuple(
    AttributeSpec(name, f"aeplug_image.attributes:{name}", unit, summary)
    for name, unit, summary in (
        ("slant", "degrees", "lean of the strokes to the right"),
        ("thickness", "pixels", "mean width of the strokes"),
        ("length", "pixels", "length of the strokes"),
        ("size", "pixels", "mean of width and height, once upright"),
        ("aspect", "width/height", "of the drawing, once upright"),
    )
)
#: A small net for a latent of a few numbers.
SMALL_NET = mirrored_net(widths=(8, 16, 32, 32), blocks=(0, 1, 1, 1), hidden=256)
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
        "digits, a deterministic convolutional autoencoder with a 32-dimensional latent",
        "deterministic",
        "mse",
        settings={"latent.size": 32, **PLAIN},
    ),
    task(
        "mnist-30",
        "like mnist with 30 latent dimensions, as PCA and Hinton & Salakhutdinov (2006)",
        "deterministic",
        "mse",
        settings={"latent.size": 30, **PLAIN},
    ),
    task(
        "mnist-shape",
        "digits, a 32-dimensional latent of shape without pose: features for classification",
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
        "digits, a variational autoencoder with 2 latent dimensions, or --set latent=20",
        "gaussian",
        "elbo",
        settings={"latent.size": 2, **SMALL_NET, "train.epochs": 12, **TRAINING},
        demo=DemoSpec(settings={"train.epochs": 4}, order=10),
    ),
    task(
        "mnist-cvae",
        "digits, a conditional variational autoencoder: z holds the style (Sohn et al., 2015)",
        "gaussian",
        "elbo",
        settings={
            "data.conditional": True,
            "latent.size": 8,
            # A strong KL at first, so that z leaves the class to the condition.
            "loss.beta": "linear(4, 1, 0.7)",
            **SMALL_NET,
            "train.epochs": 12,
            **TRAINING,
        },
    ),
    task(
        "mnist-aae",
        "digits, an adversarial autoencoder: a critic makes codes N(0, 1) (Makhzani et al., 2015)",
        "adversarial",
        "bce",
        settings={"latent.size": 8, **SMALL_NET, "train.epochs": 12, **TRAINING},
    ),
    task(
        "mnist-binary",
        "binarised digits, a variational autoencoder for log-likelihoods (dynamic binarisation)",
        "gaussian",
        "elbo",
        settings={
            "prepare.binarise": "dynamic",
            "latent.size": 32,
            "loss.beta": "linear(0.2, 1, 0.1)",
            **mirrored_net(widths=(16, 32, 64, 64), blocks=(0, 1, 2, 2), hidden=512),
            "train.epochs": 27,
            **TRAINING,
            "train.ema": 0.999,
        },
    ),
)
