"""
The C{kernelnet} command.

  - C{main}: the commands
  - C{tokens}, C{certs}: the groups of these names
  - C{storage}: backup, restore; C{doctor}: what is wrong, and what to do
  - C{components}, C{overview}, C{sessions}: what a hub's database tells
  - C{common}: which hub is meant, and how it is asked; C{progress}: how far it is; C{completion}: what the shell offers
  - C{workbenches}: lists them
  - C{bench}: the group of that name; C{standing}: what it measures, as table and JSON;
    C{training}: its search; C{plans}, C{plotting}: its pictures
  - C{record}: traces of one's own
  - C{arguments}: what the arguments of these mean, and one line for each mistake
  - C{demo}: C{kernelnet demo}, the main job from nothing to a table
  - C{table}: what the demo prints while it runs and at its end
"""

from kernelnet.cli.main import main

__all__ = ["main"]
