"""Melodies: tokens, the data set, the codec, encoders and decoders, what is measured of them."""
