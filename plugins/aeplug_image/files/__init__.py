"""Picture files: reading and writing them, and the codecs of pictures."""
