"""
The C{kernelnet} command.

  - C{main}: the commands; C{status}, C{generators}, C{workbenches}: those of these names
  - C{room}: what C{workbenches --room} measures
  - C{common}: which hub is meant, and how it is asked; C{progress}: how far it is; C{completion}: what the shell offers
  - C{tables}: lists with one line a row, on narrow terminals too
  - C{tokens}, C{certs}: the groups of these names; C{storage}: the database's; C{doctor}: what is wrong, what to do
  - C{cluster}: the group of that name, for several hubs on one database
  - C{exporters}: the command of that name, and what C{components export --for} does; C{deploy}: the group
  - C{observations}: what was measured at work, shown and shared
  - C{attestations}: C{verify}, and what C{components export --attest} writes
  - C{components}, C{sessions}: the groups of these names; C{listings}: ais, patterns, leaderboard;
    C{blob_sources}: the sources of components that are too large for a line
  - C{language_models}: C{llm}, and the options by which commands choose models
  - C{bench}: the group of that name; C{arguments}: what the arguments of all that is about workbenches mean
  - C{component_measurement}: C files of the user's, measured; C{policy_comparison}: beside all that is hand-made, and
    as JSON; C{policy_table}: as a table, with the verdict
  - C{bench_train}: the command of that name; C{training}: its search; C{resumption}: what it goes on with;
    C{found_source}: the file that it writes; C{search_plot}: its picture; C{worth}: whether a trace is worth it
  - C{recommend}: what to use of all that is known; C{shared_components}: of what others shared
  - C{plot_plan}, C{plotting}, C{cost_plot}: what C{bench plot} draws; C{pictures}: the look of all
  - C{traces}: the group of that name, for those that peers may have
  - C{record}: traces of one's own; C{inspection}: how C{bench inspect} shows that a trace is read
  - C{mcp}: an AI agent as a trainer
  - C{demo}: the main job from nothing to a verdict; C{demo_progress}: what it shows while it runs;
    C{demo_fields}: in which fields something is confirmed; C{demo_agent}: an agent in it, by script; C{demo_hubs}: its
    hub, or several nodes of which one is killed, with C{demo_postgres}, a server of their own; C{demo_processes}: its
    processes
  - C{report}: what a hub has come to; C{hub_data}: from where; C{outcomes}: task by task; C{verdict}: in a sentence;
    C{outcome_table}: on a screen; C{report_page}, C{report_pictures}: as Markdown with pictures
"""

from kernelnet.cli.main import main

__all__ = ["main"]
