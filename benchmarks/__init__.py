"""Benchmarks: each prints what it measures; `--json` adds one JSON object as the last line."""
