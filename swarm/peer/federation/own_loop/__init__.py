"""A peer whose user trains in a loop of their own; the session only averages weights.

Theory of operation. The machine of the session asks for training from a head, as it always does,
and a worker answers. Here the worker is the user's loop: `LoopWorker` (in the peer's thread) keeps
the question. `Engine` (in the user's thread) answers it at the end of each exchange period, with
the weights that the loop has reached. Then it waits for the next head and gives it to the loop.
Averaging runs in a thread. There is no other process.

    machine -- Train(head) --> LoopWorker -- Work --> Engine -- weights --> the user's model
    machine <-- TrainingFinished -- LoopWorker <-- weights after a period -- Engine

keras_callback  Swarm for Keras: one more callback of `fit`
torch_loop      Swarm for PyTorch: `step_end()` after each step of the optimizer
joining         Joining: at an address, at one known from before, or a new swarm
engine          Engine: joins, exchanges weights and leaves, for a loop in any framework
loop_peer       LoopPeer: the peer in the background
loop_worker     LoopWorker: answers a session's jobs with the loop's weights
loop_source     LoopSource: specs of sessions that loops train
layers          names, shapes and order of a model's weights
running_call    RunningCall: whether a function call still runs
"""
