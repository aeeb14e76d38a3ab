"""Bottlenecks: what lies between encoder and decoder, and what is learnt with it."""
