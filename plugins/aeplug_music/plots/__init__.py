"""Piano rolls and pages of a tune."""
