"""Prints what pyproject.toml requires, a line each: so that a change of our own code installs nothing again."""

import tomllib

with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["dependencies"]))
