"""Ensembles: every member fits a model on its own rows; any peer asks, and all members answer.

What members agree on, and say to each other:

spec          EnsembleSpec: what is predicted and by which rules, immutable, named by its digest
records       what a member says of itself: models, scores, summaries of residuals
messages      the messages between members and askers
topics        where messages are published
effects       requests of the machines to their driver, and the driver's events

What members and askers share:

roster        Roster: the members as one peer knows them: their cards, and who is present
score_matrix  card_scores(): the scores of all members' cards that count

One member's part:

member              Member: the machine; hands each event to the part that it is for
member_settings     MemberSettings: what one member decides for itself
member_models       MemberModels: champion, challenger in the shadow, previous champion
fitting             Fitting: when a member fits: at first, when ordered, when its rows change
model_scores        ModelScores: scores, refusals and copies of other members' models
travelling_models   TravellingModels: fetches others' models and has them scored
models_at_home      ModelsAtHome: scores models that stay at home, by questions on shared rows
summarising         Summarising: has moments and residuals of the combination computed
serving             Serving: which questions a member takes, and what it sends back
row_fetches         RowFetches: rows of large questions on their way, and how many of each asker
budgets             Budgets: how many rows each asker may still ask for
standing_requests   StandingRequests: what the driver is to keep and serve, said when it changes
member_cards        MemberCards: numbers and publishes cards, heartbeats and offers

An asker's part:

asker               Asker: dispatches each event
questions           Questions: asks members and copies, counts answers, ends each question
open_question       OpenQuestion: who was asked, what came, when it is over
latencies           Latencies: how long members usually take, and so how long they are waited for
trust               Trust: which members have lost their weight
refusal_words       describe_refusal(): why a member does not answer

The command line:

__main__      `python -m swarm.ensemble`; its commands are in `swarm.peer.ensemble`

Rows, models and predictions never enter the machines: they pass `BlobRef`, or bytes that they
never look into.
"""
