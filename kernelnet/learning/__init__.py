"""
The learning half of a trainer, without any network: traces in; patterns, components and verdicts out.

  - C{local_trainer}: `kernelnet.interfaces.ILocalTrainer`, all of the below in threads; C{local_trainer_maker}: its
    plugin; C{demo}: once without a hub;
    C{former_trainers}: those of authors who know an earlier C{ILocalTrainer}
  - C{specializations}: capabilities of trainers, and which complement each other
  - C{goal}: which component is to be built
  - C{tasks}: traces at settings of a workbench; C{task_selection}: which one a goal is for; C{expected_gains}: what a
    search on each is worth; C{division_of_labour}: to which of several trainers; C{trace_matching}: a trace described
    by its patterns; C{task_similarity}: what did well on tasks alike
  - C{problem}: what a generator is given; C{search_run}: one search, from problem to judgement; C{search_results}: what
    it has measured, and its course; C{saved_search}: these in a file, to go on with; C{search_account}: what was
    measured on each task, and how good the best is; C{low_priority}: in which it lets others go first
  - C{background_search}: those that a trainer begins of itself; C{family_trials}: which peers' families never paid here
  - C{submission}: a source compiled, measured, and made a component with its claim
  - C{acceptance}: which candidates are published; C{significance}: whether one is better or was lucky;
    C{validation_scores}: by which, each measured once; C{hindsight}: the hand-made policies that all is compared with;
    C{intervals}: how sure a level is; C{recommendation}: what to use, and why; C{practice}: a policy on the same
    variants again and again, and two of them in pairs; C{ladder}: how often held-out may be looked at
  - C{own_traces}: the user's traces, which confirmed components are tried on;
    C{private_search}: the search on private ones, apart; C{fetched_traces}: those that came from elsewhere
  - C{known_settings}: what ships and what others shared, tried before any search
  - C{verification}: whether a claim is true

Use cases that commands and agents share: `submission.submit` a source, judge it (`acceptance.accept`), publish it
(`submission.makeComponent`), verify a claim (`verification.Verifier.verify`, `verification.remeasure`).  All of them
block, and belong in a worker thread.
"""
