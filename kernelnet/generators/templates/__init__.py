"""
Policies as C sources with parameters, and the search for their values.

  - C{parameters}: what a template is; how values get into its source
  - C{marked_source}: templates of sources that say themselves which numbers may be tuned
  - C{parameter_search}: the family that searches one
  - C{adopted}: families that peers have shared, as guests of a search
  - C{two_queues}, C{reuse_interval}: templates of page caches, each beside its C source; the former has the generator
    C{template}
  - C{sized_queues}: a template of object caches, beside its C source
  - C{delay_target}: a template of senders, beside its C source
  - C{kept_velocity}: a template of predictors of pointers, beside its C source
  - C{repaint_budget}: a template of budgets for repaints, beside its C source, which marks its numbers itself
  - C{playout_margin}: a template of jitter buffers, beside its C source
"""
