"""
Rules of the house, held against the imports themselves.

  - `imports`: reads a tree: its modules, what each imports, how long it is, which parameters are C{Any}
  - `rules`: who may import whom, as data; the exceptions, each with its reason
  - `checks`: what of a tree is against the rules
  - `picture`: C{docs/pictures/architecture.svg}, drawn from the imports
  - `documents`: the list of packages, and which of a document's names are there
  - C{python -m tests.architecture}: counts and violations of a tree; makes picture and list again
"""
