"""Whole files through a trained model."""
