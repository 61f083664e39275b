"""Operators' commands: signed registers that any workload, or a peer itself, obeys. Sans-IO.

commands       Command, and the message that passes commands on
registers      which commands a peer obeys: one register for each thing that they are about
peer_commands  the machine that hears, obeys and passes on commands to peers
"""
