"""Child processes: what a peer computes in processes of its own, and how it talks to them.

process_life     ProcessLife: one life of a child process; RestartedProcess: one after another
calls            CallLife: a life that answers calls, each with a number
pipes            PipedProcess: a process and the peer's ends of its pipes; Log
pipe_writer      PipeWriter: writes into a process's pipe without making the caller wait
framing          Framing: messages as length-prefixed msgpack, in both directions
child_pipes      ChildPipes: the child's side of the pipes
fork_server      loads Keras once and forks a learner process for each peer on the machine

cores            which cores and GPUs a learner process uses
learner_worker   LearnerWorker: a peer's learner process, for trio
learner_process  the learner process: does the jobs of a federated session
learner_frames   messages between the two

trial_pool       TrialPool: runs as many trials at once as a peer has slots
trial_worker     TrialWorker: a process that runs trials, for trio
trial_life       TrialLife: one life of such a process, and the trials that were sent to it
trial_process    the process: runs the trials of studies, one at a time
trial_frames     messages between the two

member_worker    MemberWorker: one child process of a member of an ensemble, for trio
member_process   the process: fits, scores or answers
member_jobs      MemberJobs: what it does, in terms of `swarm.learning.ensemble.jobs`
member_frames    messages between the two
"""
