"""Training, measuring and averaging for federated sessions."""
