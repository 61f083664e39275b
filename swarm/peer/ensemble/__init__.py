"""Members and askers of ensembles on a host."""
