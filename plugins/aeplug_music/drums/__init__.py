"""Drums: nine classes of hits with velocity and human timing, their codec, data set and models."""
