"""Prints what pyproject.toml requires, a line each.

Installed from that list, libraries stay in their layer when only our own code has changed.
"""

import tomllib

with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["dependencies"]))
