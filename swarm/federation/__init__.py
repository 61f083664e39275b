"""Federated training, decided without input or output: events in, effects out.

federation           the machine: gives each event to its part, and does what is due regularly
shared_state         what the parts share, and which part changes it
adoption             decides which head is adopted, and does what follows
participation        this peer's part in the round; builds the round's view
training             what is trained and measured here
announcements        takes contributions and aggregates, in time, late or early
catching_up          gets missed heads, and a place in the cohort
head_weights         which peers to ask for a head's weights, which blobs to keep
screening            rejects what breaks a rule or fails a gate
answering            answers requests of peers and observers
command_following    takes operators' commands and passes them on
founding             how the starter makes head 0
heartbeats           which topics to listen to, and signs of life

records              heads and aggregates, and what they name
messages             announcements, requests and answers
effects              what the machine asks its driver to do, and the events that answer
topics               the names of topics

lineage              the heads that are known, held, to be adopted
ancestry             how heads descend from each other: windows, relations, staleness
validity             the rules for heads, aggregates and contributions
tree                 clusters and successions, derived alike by all peers
durations            deadlines, slow peers and stragglers
composing            makes the records of aggregates and heads
best_head            the best measured model; when a session is over
branches             lineages that were left, until a head merges them

round                one round at one peer
duty                 one cluster that this peer aggregates or stands by for
efforts              how far the peers of a round are, and whether they get on
round_view           what was announced in a round, and the view that duties read
like_failures        counts failures in a row with the same reason
own_work             own training, and own contributions that no head names yet
early_announcements  announcements for a head that is not held yet
blob_tracker         blobs that are here, asked for or absent
presence             which peers are alive, as seen from here

session_choice       a machine of its own: which sessions a peer takes up
join_requests        how a peer asks to join the cohort
joiners              the peers that ask
join_estimate        their number, estimated from a sample

head_exchange        asks for records of heads, and answers such requests
head_holders         which peer holds which head; limits requests
violations           counts and quarantines peers that break rules
waiting_reasons      what a peer waits for, in words
session_ledger       what is remembered of a run besides heads
ledger_entries       its entries and messages
"""
