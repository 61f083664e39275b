"""Trials through a broker that the user runs already; one file each behind `broker.Broker`.

broker     the protocol: topics, groups, acknowledgement
bridge     from a client library's thread to trio
amqp       RabbitMQ and others that speak AMQP 0-9-1 (pika; extra `amqp`)
kafka      Kafka (confluent-kafka; extra `kafka`)
urls       open_broker(): the one that a URL names
messages   trials and results as JSON; the only parser of what a broker delivers
worker     takes trials, runs them, sends results
collector  asks for trials, collects results, each once

A trial goes to topic `hyperparams_MODEL`, where the group of workers shares it; its result to
`results_MODEL`, where every study has a group of its own.
"""
