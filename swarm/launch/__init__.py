"""Starts a whole swarm on one machine, shows its progress, and keeps its results.

__main__            `python -m swarm.launch`, which `./run.sh` calls: the options of a run
launch_settings     the settings of one run
launcher            Launcher: one run, from the first process to the last
dataset             makes the data set available on disk before any peer starts
free_ports          free ports for the peers, and a check of the dashboard's port
programs            the command lines of the peers, the dashboard and the fork server
backend             Backend: where programs run; LocalProcesses runs them as processes
container_backend   Containers: runs the programs in containers, by docker/compose.yaml
container_events    starts and ends of containers, as the Docker engine reports them
docker_engine       finds the Docker engine of this machine, and runs its commands
docker_image        builds the image for the containers
backend_choice      chooses between containers and processes, and says why
lifeline            ends a process when the launcher is gone
process_output      reads the output of a process line by line
log_lines           parses the peers' log lines
run_progress        RunProgress: the state of a run, from the peers' log lines
display             shows the progress: a live view on a terminal, else plain lines
run_summary         summary.json, model.keras and the table at the end of a run
run_record          run.json: what other commands need to know about a running run
control             those commands: `./run.sh stop`, `status`, `logs` and `shell`
"""
