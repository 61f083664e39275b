"""Federated training, decided without input or output: events in, effects out.

federation  the machine: holds a head, takes part in its round, adopts the next
messages    what peers tell each other
effects     what the machine asks its driver to do, and the events that answer
lineage     which heads are known, held, to be adopted
validity    what makes a head, an aggregate or a contribution valid
tree        clusters and successions, derived from a head by everybody alike
round       one round at one peer
duty        one cluster this peer aggregates or stands by for
records     composing aggregates and heads; deadlines, slow peers
presence    who is alive, as seen from here
newcomers   who wishes to join
early       messages about a head that is not held yet
enquiries   requests for heads, limited in rate
blob_desk   which blobs are here, asked for, or not to be had
joining     finding the session a swarm is running
observing   what a peer that only watches makes of what it hears
topics      the names of topics
"""
