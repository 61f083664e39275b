"""Operators' commands: signed registers that any workload obeys. Sans-IO."""
