"""What a peer that only watches makes of what it hears; one package per workload. Sans-IO."""
