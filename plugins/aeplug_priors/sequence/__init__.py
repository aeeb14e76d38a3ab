"""A prior of whole documents, piece after piece."""
