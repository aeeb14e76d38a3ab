"""Moving items of a latent space along what can be measured of them."""
