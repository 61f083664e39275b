"""What every peer has, whatever it works on.

host             Host: one process on the network, shared by all machines
host_settings    address, state folder, bootstraps
machine_driver   hands events to a machine, carries out core effects
outbox           connections, topics and blobs that machines share
commands         operators' commands to peers
bootstrap_hints  what to check while no bootstrap peer answers
message_files    files of messages in wire form
whole_files      files that are written whole, then renamed into place
wire             encodes and decodes the messages of all workloads
command_line     runs a typer command; exit codes, signals
logs             log lines on stderr, as text or JSON
loop_lag         measures how late the event loop wakes up
trio_thread      a trio program in a thread, for scripts
"""
