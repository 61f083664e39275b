"""Federated training, decided without input or output: events in, effects out.

federation      the machine: which part of it each event is for, and what is done regularly
situation       what the parts share: what this peer knows, and the round it is in
adopting        which head is adopted, and what follows
participating   this peer's part in the round
training        what is trained and measured here
announcements   contributions and aggregates: in time, late, or early
catching_up     heads that were missed, and a place in the cohort
weights         whom to ask for a head's weights, and which blobs are kept
judging         what is turned down, and who answers for it
signed_records  heads and aggregates, and what they name
messages        what peers tell each other
effects         what the machine asks its driver to do, and the events that answer
lineage         which heads are known, held, to be adopted
ancestry        how heads descend from each other: windows for stale work, forks of lineages
validity        what makes a head, an aggregate or a contribution valid
tree            clusters and successions, derived from a head by everybody alike
round           one round at one peer
duty            one cluster this peer aggregates or stands by for
records         composing aggregates and heads
durations       deadlines, slow peers, and those nobody waits for
own_work        what is being trained here, and own contributions that do not count yet
branches        lineages that were left, until a head takes them in
founding        how the starter makes head 0
voice           where this peer listens, and how it is heard to be alive
presence        who is alive, as seen from here
newcomers       who wishes to join; crowd: how many, told from a sample
wishing         how to ask into a cohort
violations        who is not listened to for a while
ledger          what is remembered of a run besides heads; entries: its messages
commands        what operators may ask; command_book: which are obeyed; obedience: and passed on
answering       answers to those who ask; how much of the past is told to those who watch
exchange        asking for records of heads, and answering
enquiries       requests for heads, limited in rate
early           messages about a head that is not held yet
blob_desk       which blobs are here, asked for, or not to be had
observing       what a peer that only watches makes of what it hears
registry       who is there, as it sees it; sights: flows and lines of the log
head_reading    how it asks for heads; reading: for ledgers; past: what comes of it; alerts
operating       the operator's side of commands
topics          the names of topics
"""
