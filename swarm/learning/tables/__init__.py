"""Tables of examples from files, for every workload."""
