"""
The C{kernelnet} command.

  - C{main}: the commands; C{workbenches}: the list of that name
  - C{common}: which hub is meant, and how it is asked; C{progress}: how far it is; C{completion}: what the shell offers
  - C{tokens}, C{certs}: the groups of these names; C{storage}: backup, restore; C{doctor}: what is wrong, what to do
  - C{components}, C{sessions}: the groups of these names; C{listings}: ais, patterns, leaderboard
  - C{bench}: the group of that name; C{arguments}: what the arguments of all that is about workbenches mean
  - C{component_measurement}: C files of the user's, measured; C{policy_comparison}: beside all that is hand-made, and
    as JSON; C{policy_table}: as a table, with the verdict
  - C{bench_train}: the command of that name; C{training}: its search; C{resumption}: what it goes on with;
    C{found_source}: the file that it writes; C{search_plot}: its picture; C{worth}: whether a trace is worth it
  - C{plot_plan}, C{plotting}, C{cost_plot}: what C{bench plot} draws, and the pictures
  - C{record}: traces of one's own
  - C{demo}: the main job from nothing to a table; C{demo_results}: what it prints while it runs and at its end
"""

from kernelnet.cli.main import main

__all__ = ["main"]
