"""The processes that `bench lag` runs: all but `calls`, because there is no Asterisk to talk to."""

from appliance.supervision import process_table

WORKERS = tuple(process for process in process_table.WORKERS if process.name != "calls")
