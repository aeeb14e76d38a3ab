"""Many files through a model, side by side, to be stopped and resumed."""
