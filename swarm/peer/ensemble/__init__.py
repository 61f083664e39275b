"""Members and askers of ensembles on a host.

ensembles         Ensembles: the workload; its machines, and the ensembles that others offer
ensemble_driver   EnsembleDriver: drives one machine of an ensemble, a member's or an asker's

One member:

serving           Serving: makes a host a member: joins an ensemble or founds one
member_driver     MemberDriver: carries out what the member's machine asks for
member_answers    MemberAnswers: has models loaded, and answers questions with them
member_models     MemberModels: where the member's model files are
member_processes  MemberProcesses: its child processes, and what each may use
member_folder     MemberFolder: what it keeps on disk
member_rows       MemberRows: the user's labelled rows, and how they fit an ensemble
ensemble_settings  EnsembleSettings: what a user can set
serving_beside    open_serving_beside(): a member beside other work of a host
ensemble_peer     EnsemblePeer: a host that is only a member
member_lines      what happens at a member, as lines for its user

Asking, from the outside in:

running_ensemble  join_ensemble(), Ensemble: asks from a script or notebook
open_asking       open_asking(): finds an ensemble, and gets to know its members
asking            Asking: asks one ensemble for many callers at once
batching          which requests become one question, and when it goes out
asked_rows        read_rows(): the rows that a user asks about
asked_cells       read_cells(): the cells of one of their columns
asker_driver      AskerDriver: sends questions, and brings back the answers that count
answering         from the answers that count to a prediction
prediction        Prediction: values, how sure they are, and which members answered
fit_orders        order_fit(): has all members fit at once
distilling        Distillation: one model, trained on the ensemble's answers
overview          members and their matrix, as tables for a terminal
asking_text       predictions, as tables for a terminal and as CSV
asking_tasks      what the commands that ask do

Rows and orders of the user:

new_rows          NewRows: what a member does with rows and orders that come
inbox             Inbox: takes files of rows, and orders, out of a folder
orders            files that commands leave in an inbox, and the replies to them
local_member      find_local_member(): the member on this machine that a command is for
audit_log         AuditLog: which peer asked for how many rows

The command line, `python -m swarm.ensemble`:

command_app       the application, and the options that commands share
serve_commands    serve
asking_commands   predict, status, matrix, distill
row_commands      add, fit, promote, rollback, audit
commands          puts the commands together; each module of commands adds its own
"""
