"""Many files -> windows that a model learns from, and which of them are held out."""
