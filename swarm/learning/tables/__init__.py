"""The project's one reader of tables: federated training, searches and ensembles share it.

`read_sheet()` reads CSV in any usual form, Excel, Parquet, data frames and arrays.
`encode()` turns a sheet into numbers, by columns that `derive_columns()` derived for all sites.
Nothing here knows Keras or scikit-learn; pandas is imported only for frames, Excel and Parquet.

reading        read_sheet(): which reader a source needs
csv_file       text files: encoding, delimiter, lines
frames         pandas data frames, Parquet and Excel
grid           cells as text, with the names of their columns
recognition    what a column holds: numbers, dates or texts
cells          what a cell means: missing, a number, a date
sheet          Sheet: typed columns, and where each row stands
target         the column to predict: task, classes, missing ones
encoding       columns to numbers, the same way at every site
canonical_csv  a sheet as bytes that every peer reads alike
limits         sizes that are refused
"""
