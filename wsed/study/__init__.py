"""Studies: the rows of a paper's tables, their runs with several seeds, and the differences between rows.

`rows` reads a recipe, `runs` finds finished runs and reads their scores, `compare` computes means and paired
differences, `drawn` those over seeds and recordings, `claims` judges them, and `table` prints them.
"""
