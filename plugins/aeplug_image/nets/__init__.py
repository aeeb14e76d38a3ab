"""Encoders, decoders and losses of images."""
