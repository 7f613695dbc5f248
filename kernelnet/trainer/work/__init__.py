"""
The work of a trainer: rounds of its own search, and jobs that messages gave to it.

  - C{observations}: what was left in the spool, said to a hub that takes it
  - C{site_trials}: confirmed components tried on the user's own traces; C{site_key}: random names of these
  - C{private_rounds}: the search on private traces, of which nothing is said
  - C{worker}: `Worker`, which runs both in two loops, and knows of jobs only who handles their kind
  - C{job_queue}: jobs, durable, and whose turn it is
  - C{search_rounds}: the own search, and what of it is shared
  - C{goal_builder}: what a search is given of all that is known here
  - C{family_selection}: which families of peers a search may take in
  - C{task_partition}: which part of the tasks is this trainer's own
  - C{feature_requests}: what peers ask for, and what we ask them for
  - C{verification}: peers' claims are measured again, and a verdict recorded
  - C{signing}: the key that verdicts are signed with
  - C{verifier_selection}: who measures which claim, and when
  - C{publication}: components, patterns and building blocks of our own, kept and said
"""
