"""
Components that do the same with less fuel.

  - C{search}: of a confirmed component, whatever does on train what it does, and is cheaper
  - C{source_rewrites}: C sources rewritten safely; C{lean.h} is what one of them puts in
"""
