"""Turns what an asker knows of an ensemble into rows that people look at."""
