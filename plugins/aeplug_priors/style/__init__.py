"""A prior of a style, from a few documents."""
