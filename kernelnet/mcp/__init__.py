"""
Agents as trainers: a server of the Model Context Protocol, by which a language model writes policies and proves them.

What an agent does is what a trainer does: the same guard, the same claims, the same peers; only what writes components
is the agent.  It needs the extra C{[mcp]}.

  - C{process}: C{kernelnet mcp} as a process, with or without a hub; C{http}: the same over HTTP, and its tokens
  - C{server}: tools, resources and prompts put together; C{tools}: what all tools have in common; C{work_tools}: those
    that need no hub, C{sharing_tools}: those that do; C{guidance}: resources, prompts, and the skill
  - C{workshop}: the blocking part of the former: C{tasks}, C{measurements}, C{tuning}, C{submission};
    C{account}: of what was measured
  - C{trainer}: the trainer whose components an agent writes; C{peer}: what of it the tools show; C{wishes}: what peers
    ask of the agent
  - C{jobs}: what takes longer than a call; C{folder}: the one folder that tools read and write
  - C{client}: for scripts, on the other side of the protocol
  - C{strangers}: peers' words, bounded and marked; C{errors}: an agent's mistakes
"""
