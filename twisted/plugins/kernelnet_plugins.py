"""What kernelnet adds to ``twistd`` and to its own plugin lists: lazy handles only, no logic."""

from kernelnet import interrupt

# Before all that takes long to import; and Twisted swallows what is raised while it loads this.
interrupt.quietlyInTwistd(("kernelhub", "kerneltrainer"))

from twisted.application.service import ServiceMaker

from kernelnet.exporters.bpf_tcp import exporter as bpf_tcp
from kernelnet.exporters.c_library import exporter as c_library
from kernelnet.exporters.libcachesim import exporter as libcachesim
from kernelnet.exporters.scx import exporter as scx
from kernelnet.exporters.sqlite import exporter as sqlite
from kernelnet.generators.genetic_programming import genetic
from kernelnet.generators.llm.generator import llm
from kernelnet.generators.search import search
from kernelnet.generators.templates.delay_target import DELAY_TARGET as delay_target
from kernelnet.generators.templates.kept_velocity import KEPT_VELOCITY as kept_velocity
from kernelnet.generators.templates.playout_margin import PLAYOUT_MARGIN as playout_margin
from kernelnet.generators.templates.repaint_budget import REPAINT_BUDGET as repaint_budget
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL as reuse_interval
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES as sized_queues
from kernelnet.generators.templates.two_queues import TWO_QUEUES as two_queues
from kernelnet.generators.templates.two_queues import template
from kernelnet.learning.local_trainer_maker import IntegratedKernelTrainerMaker
from kernelnet.workbench.audio import workbench as audio
from kernelnet.workbench.file_system import workbench as file_system
from kernelnet.workbench.graphics import workbench as graphics
from kernelnet.workbench.network_stack import workbench as network_stack
from kernelnet.workbench.process_manager import workbench as process_manager
from kernelnet.workbench.security import workbench as security
from kernelnet.workbench.window_manager import workbench as window_manager

__all__ = [
    "audio",
    "bpf_tcp",
    "c_library",
    "delay_target",
    "file_system",
    "genetic",
    "graphics",
    "integrated",
    "kept_velocity",
    "kernelhub",
    "kerneltrainer",
    "libcachesim",
    "llm",
    "network_stack",
    "playout_margin",
    "process_manager",
    "repaint_budget",
    "reuse_interval",
    "scx",
    "search",
    "security",
    "sized_queues",
    "sqlite",
    "template",
    "two_queues",
    "window_manager",
]

kernelhub = ServiceMaker(
    "kernelnet hub",
    "kernelnet.hub.tap",
    "The hub that kernelnet trainers connect to.",
    "kernelhub",
)
kerneltrainer = ServiceMaker(
    "kernelnet trainer",
    "kernelnet.trainer.tap",
    "A kernelnet trainer: learns, builds components, shares and re-measures.",
    "kerneltrainer",
)
integrated = IntegratedKernelTrainerMaker()
