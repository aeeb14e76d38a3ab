"""Faults in the vibration of a machine: an autoencoder of sound signals, made up here."""

from aeplug import DatasetSpec, EncoderSpec, TaskSpec, hookimpl

aeplug_hook_version = 1


@hookimpl
def aeplug_datasets():
    yield DatasetSpec("sensors", "aeplug_sensors.signals:Signals", "vibrations, 128 values in 0..1")


@hookimpl
def aeplug_encoders():
    yield EncoderSpec("sensor-conv", "aeplug_sensors.signals:Encoder", "strided 1-D convolutions")


@hookimpl
def aeplug_tasks():
    yield TaskSpec(
        "sensors",
        "finds faults in the vibration of a machine by what an autoencoder cannot rebuild",
        dataset="sensors",
        encoder="sensor-conv",
        latent="gaussian",
        decoder="mlp",
        loss="elbo",
        evaluate="aeplug_sensors.signals:find_faults",
        settings={"latent.size": 8, "loss.pixels": "gaussian", "train.lr": 3e-3},
    )
