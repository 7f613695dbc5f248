"""
Evolutionary searches side by side, over whatever can be bred.

  - C{search_family}: a kind of policy with its way to search it, and the budget that all measure on
  - C{island_model}: the families that are populations on islands
  - C{portfolio}: whose turn it is, and a search that another one goes on with
  - C{pattern_seeds}: what the patterns of a task make worth trying first
  - C{finalist_selection}: which of the best is handed over
"""
