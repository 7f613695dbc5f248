"""
The C{kernelnet} command.

  - C{main}: the commands; C{workbenches}: the list of that name
  - C{common}: which hub is meant, and how it is asked; C{progress}: how far it is; C{completion}: what the shell offers
  - C{tokens}, C{certs}: the groups of these names; C{storage}: backup, restore; C{doctor}: what is wrong, what to do
  - C{components}, C{sessions}: the groups of these names; C{listings}: ais, patterns, leaderboard
  - C{bench}: the group of that name; C{arguments}: what the arguments of all that is about workbenches mean
  - C{policy_comparison}: what C{bench run} measures, as table and JSON; C{training}: the search of C{bench train}
  - C{plot_plan}, C{plotting}: what C{bench plot} draws, and the pictures
  - C{record}: traces of one's own; C{inspection}: how C{bench inspect} shows that a trace is read
  - C{demo}: the main job from nothing to a table; C{demo_results}: what it prints while it runs and at its end
"""

from kernelnet.cli.main import main

__all__ = ["main"]
