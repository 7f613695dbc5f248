"""
kernelnet: trainers that build parts of an operating system together, and believe no claim unmeasured.

- `kernelnet.message`: what travels; `kernelnet.wire`: lines to messages and back
- `kernelnet.interfaces`: everything a third party implements
- `kernelnet.identity`: tokens, the CA, TLS options
- `kernelnet.hub`, `kernelnet.trainer`: the two ends
- `kernelnet.workbench`, `kernelnet.generators`: where components are proved, and who writes them
- `kernelnet.cli`: the C{kernelnet} command
"""
