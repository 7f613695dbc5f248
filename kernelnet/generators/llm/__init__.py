"""
A language model that writes components: it has the ideas, and the search tunes their numbers.

  - `settings`: which models, how they are reached, and what they may cost; C{llm.toml}
  - `ledger`: every call with what it cost, in a file that outlives crashes; the budget
  - `client`: one call of an OpenAI-compatible server, bounded in time and bytes
  - `prompt`: what a model is told of a problem and of its own attempts
  - `answer`: the C source in what it says
  - `writer`: calls that are under way beside a search, and which model is asked next
  - `family`: what is written as a family of a portfolio
  - `generator`: the generators C{llm} and, with a model, C{search}
"""
