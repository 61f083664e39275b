"""Runs federated sessions.

running_peer     start_peer() and RunningPeer, for scripts
peer_view        PeerView: one peer's run as text, line and HTML
progress_line    ProgressLine: a run's progress in a script's output
model_argument   what a user gives as model= becomes a name or a file
peer             Peer: the whole life of a process that trains
own_data         a peer's data: checked before the peer listens, described for a session
peer_settings    what a user can set
sessions         the sessions of a host: begins, resumes and ends them
session_run      one session, from its folder on disk to the goodbye
session_source   makes the spec of a new session, checks the spec of an offered one
session_driver   carries out what the machine of a session asks for
model_files      writes a session's last model, and its best
best_model       the best measured model of a session, as one peer can tell
session_folder   what a peer remembers of a session across restarts
learning_jobs    has a worker do jobs: train, evaluate, combine
trainers         what trains: learner processes, or a loop of the user's own
own_loop         a peer whose user trains in a loop of their own: Keras, PyTorch
peer_status      what a peer is doing, for observers and its report
"""
