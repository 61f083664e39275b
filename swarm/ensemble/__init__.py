"""Ensembles: every member fits a model on its own rows; any peer asks, and all members answer.

What members agree on, and say to each other:

spec          EnsembleSpec: what is predicted and by which rules, immutable, named by its digest
records       what a member says of itself: models, scores, summaries of residuals
messages      the messages between members and askers
topics        where messages are published
effects       requests of the machines to their driver, and the driver's events

What members and askers share:

roster        Roster: the members as one peer knows them: their cards, and who is present

One member's part:

member_settings  MemberSettings: what one member decides for itself

The command line:

__main__      `python -m swarm.ensemble`; its commands are in `swarm.peer.ensemble`

Rows, models and predictions never enter the machines: they pass `BlobRef`, or bytes that they
never look into.
"""
