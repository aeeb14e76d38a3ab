"""A task as one module, a trained model, its checkpoint and its run folder."""
