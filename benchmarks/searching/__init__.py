"""What `python -m benchmarks.search` measures.

engines      a pool, and Optuna with a pool: trials per second
rivals       the same for dask.distributed and Ray Tune
studies      one peer in this process, others as processes of their own
throughput   trials per second of all engines, interleaved
broker_runs  trials per second through RabbitMQ and Kafka
deaths       what kills cost: each result exactly once, time until the next coordinator
accuracy     the best accuracy found, beside Optuna alone
"""
