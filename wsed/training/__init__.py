"""Training: the task (network, losses, optimiser) and the callbacks around it."""
