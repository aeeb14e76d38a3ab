"""Priors fitted after training: to single latents, to sequences of them, to a style."""
