"""OpenLineage: tell a catalogue outside what runs here, in its own words.

Takes     a run while it goes, and the setting `openlineage`: a file or a URL.
Hands on  RunEvents of the run and of each step, with the tables they read and made.
Start in  telling.py; events.py builds the JSON, outbox.py brings it away without ever holding up the run.
"""
