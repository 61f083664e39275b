"""The version of everything that peers say to each other."""

PROTOCOL_VERSION = 1
