"""Splits, batches, labels, and data that ships."""
