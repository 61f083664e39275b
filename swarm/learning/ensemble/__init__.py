"""Computes for ensembles: fits, scores, predicts, combines."""
