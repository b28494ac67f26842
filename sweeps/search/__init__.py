"""A sweep that chooses its own jobs: hyperparameters proposed trial by trial, judged by the records of their runs.

schema      what a sweep file may say below `search:`
space       what is searched: intervals and choices, as Hydra users write them
reads       which keys an algorithm reads at all
objective   from the records of a run to a score, of many runs to the value of a trial
samplers    who proposes the next trial
pruners     who stops a trial early
study       the trials of one study, in Optuna's journal
source      from trials to units of work for the sweeps' driver, and back
confirmation    the best trials and the defaults on fresh seeds
table       everything as plain data: search.json and trials.csv
progress, status    what a person sees
command     `python -m sweeps sweep=FILE` where the file says `search:`
"""
