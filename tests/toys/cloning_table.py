"""The process table of an appliance whose tts clones: toys.cloning_tts."""

from dataclasses import replace

from appliance.supervision import process_table

WORKERS = tuple(
    replace(process, module="toys.cloning_tts") if process.name == "tts" else process
    for process in process_table.WORKERS
)
