"""The stages of a run, each from a run record to the next one."""

from bridge.stages.begin import begin
from bridge.stages.by_hand import files_by_step, take_files
from bridge.stages.collect import collect
from bridge.stages.convert import accept_drop, convert
from bridge.stages.send import send

__all__ = ["accept_drop", "begin", "collect", "convert", "files_by_step", "send", "take_files"]
