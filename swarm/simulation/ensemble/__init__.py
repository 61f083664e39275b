"""Rehearses ensembles: members, askers, and what goes wrong between them."""
