"""What `python -m benchmarks.ensemble` measures: the real jobs of members, in one process.

owners         members that fit, score each other's models and make cards
rules          the same answers combined by each rule
house_prices   RMSLE in three shards: at random, by neighbourhood, by year sold
skewed_labels  accuracy where six owners have few classes each: digits, breast_cancer
"""
