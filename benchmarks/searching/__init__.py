"""What `python -m benchmarks.search` measures.

work        the trial that every engine executes
engines     a pool, Optuna with a pool: trials per second
rivals      dask.distributed, Ray Tune: the same
studies     one peer in this process, others as processes of their own
throughput  trials per second of all, interleaved
broker_runs trials per second through RabbitMQ and Kafka
deaths      what kills cost: results once each, time to the next coordinator
accuracy    the best that is found, next to Optuna alone
"""
