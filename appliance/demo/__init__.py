"""The demo call: a private Asterisk, two softphones, and a report of what was heard."""
