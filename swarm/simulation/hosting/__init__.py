"""Rehearses what runs on a host: which sessions it takes up, and commands to peers.

scenarios   plans of sessions, commands and faults by name
checkers    what must hold after every event, and at the end
simulator   the peers and their sessions, which only last for a time
hostile     a peer that offers sessions which do not exist
peers       both machines of a peer, and what survives a crash of it
faults      what a plan has besides faults: sessions, and peers that are idle
"""
