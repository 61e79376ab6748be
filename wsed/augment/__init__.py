"""Random changes of training batches, by registry name."""
