"""Wires everything together: command line, configuration, driver, worker process."""
