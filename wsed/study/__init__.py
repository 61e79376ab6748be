"""Studies: the rows of a paper's tables, their runs over seeds, and what the differences between rows say.

`rows` reads a recipe and finds the runs, `compare` gives means and paired differences, `claims` judges them, `table`
prints them.
"""
