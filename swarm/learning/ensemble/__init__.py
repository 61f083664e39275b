"""Computes for ensembles: fits, scores, predicts, combines.

From answers to one answer, in numpy only, because askers and the dashboard do it too:

combining     combine(): from answers and cards to one answer that says how sure it is
answers       MemberAnswer; which answers can be used, and the target's unit
standing      standings(): what the cross-validation matrix says of each model
weights       weigh(): the weight of each model, by the spec's rule
stacking      moments() of one member; weights by non-negative least squares
blending      blend(): the combined answer of each row, and the members' spread
intervals     intervals and prediction sets, by split conformal prediction
combiner      Combiner: a small network over all answers, trained in a federated session
judging       judge(): which answers are off

A member's part, in its child processes:

jobs          fit, score, summarise, compare; Predictor: loaded models that answer
payloads      rows and answers as bytes, validated in full; askers use it too
row_tables    rows as members take them: frames, arrays, coded tables
proposing     propose_spec() from a first member's data; check_spec() against another's
labelled      LabelledRows: a member's own rows, and their file
learners      learners by name, and a user's own `module:Class`
models        Model: a fitted pipeline, from rows to answers
keras_estimator  our Keras models, with weights as plain arrays
row_encoder   RowEncoder: from cells to numbers, by the member's own rows
tree_sum      TreeSum: trees of any kind as a few arrays
compact       compact(): what travels of a fitted estimator
model_files   model files, written and read with an allow-list
model_checks  whether objects from a model file fit together
validation    losses; answers to a member's own rows

Rows that come later:

new_rows      add_rows() appends a file's rows; drift() compares them with earlier ones
drift         measure_drift(): whether new rows differ from those of the fit
"""
