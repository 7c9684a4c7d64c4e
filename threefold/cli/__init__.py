"""The command line: parse, call one function, print.

Takes     words typed by a person or a script.
Hands on  a call of one function of a room; exit code 0 done, 1 "the answer is no", 2 a wrong call.
Start in  main.py; commands/ holds one command a file, printing.py what they share.
"""


def main() -> None:
    """The entry point of the `threefold` command."""
    from threefold.cli.main import run  # so that `import threefold.cli` costs nothing

    run()
