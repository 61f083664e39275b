"""Prints the dependencies in pyproject.toml, one per line.

The image installs them from this list, so that their layer stays when only our own code changes.
"""

import tomllib

with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["dependencies"]))
