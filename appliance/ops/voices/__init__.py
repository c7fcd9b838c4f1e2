"""Voices over HTTP: who may change them, the REST part, the page, and enrolment in a process of its own."""
