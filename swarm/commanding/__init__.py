"""Operators' commands to sessions and to peers, as signed registers. Sans-IO.

commands       Command, and the message that relays commands
registers      which commands a peer obeys: one register for each subject
peer_commands  the machine that hears, obeys and relays commands to peers
"""
