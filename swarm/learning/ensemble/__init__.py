"""Computes for ensembles: fits, scores, predicts, combines.

From answers to one answer, in numpy only, because askers and the dashboard do it too:

combining     combine(): from answers and cards to one answer that says how sure it is
answers       MemberAnswer; which answers can be used, and the target's unit
standing      standings(): what the cross-validation matrix says of each model
weights       weigh(): the weight of each model, by the spec's rule
stacking      moments() of one member; weights by non-negative least squares
blending      blend(): the combined answer of each row, and the members' spread
intervals     intervals and prediction sets, by split conformal prediction
judging       judge(): which answers are off

Rows that come later:

drift         measure_drift(): whether new rows differ from those of the fit
"""
