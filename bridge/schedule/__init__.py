"""Tasks of the Windows Task Scheduler: what is planned, as XML, and how it is registered."""

from bridge.schedule.plan import DELIVER, Program, Timing, check_task, deliver_task, run_path, run_task
from bridge.schedule.register import Runner, Scheduler
from bridge.schedule.task import Account, Task, from_xml, next_start, to_xml

__all__ = [
    "DELIVER",
    "Account",
    "Program",
    "Runner",
    "Scheduler",
    "Task",
    "Timing",
    "check_task",
    "deliver_task",
    "from_xml",
    "next_start",
    "run_path",
    "run_task",
    "to_xml",
]
