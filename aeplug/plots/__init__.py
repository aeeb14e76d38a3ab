"""What a model makes, what its latents look like, how a training went: as pictures."""
