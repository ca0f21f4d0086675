"""Tasks of the Windows Task Scheduler: what is planned, as XML, and how it is registered."""

from bridge.schedule.plan import Program, Timing, check_task, deliver_task, run_task
from bridge.schedule.register import Done, Runner, Scheduler, Schtasks
from bridge.schedule.task import Account, Task, from_xml, next_start, to_xml

__all__ = [
    "Account",
    "Done",
    "Program",
    "Runner",
    "Scheduler",
    "Schtasks",
    "Task",
    "Timing",
    "check_task",
    "deliver_task",
    "from_xml",
    "next_start",
    "run_task",
    "to_xml",
]
