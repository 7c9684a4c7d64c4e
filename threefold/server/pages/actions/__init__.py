"""What can be done on the pages: forms that call what the commands call, each with who did it and why.

Start in form.py; versions.py, runs.py and endpoints.py hold one function for each button.
"""
