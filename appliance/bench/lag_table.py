"""The processes that `bench lag` runs: all but `calls`, as there is no Asterisk, `ops`, as nobody looks, and
`voices`, as nobody has one on file."""

from appliance.supervision import process_table

WORKERS = tuple(process for process in process_table.WORKERS if process.name not in ("calls", "ops", "voices"))
