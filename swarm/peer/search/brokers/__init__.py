"""Trials through a broker that the user runs already, as RabbitMQ or Kafka.

broker           the protocol of all brokers: topics, groups, acknowledgement
bridge           base of brokers whose client library needs a thread
amqp             RabbitMQ and others that speak AMQP 0-9-1 (pika; extra `amqp`)
kafka            Kafka (confluent-kafka; extra `kafka`)
urls             open_broker(): connects to the broker that a URL names
broker_messages  trials and results as JSON; the only parser of what a broker delivers
broker_worker    takes trials, runs them, sends results
collector        asks for trials, and collects each result once

A trial goes to topic `hyperparams_MODEL`, which all workers share as one group. Its result goes
to `results_MODEL`, where each study has a group of its own.
"""
