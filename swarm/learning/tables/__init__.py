"""Tables of examples for estimators, from named data sets and files, for every workload.

table_source  TableSource: where the examples of a table come from
table         Table: examples in memory; load_table(), check_source()
csv_table     reads a CSV file; errors name line and column
"""
