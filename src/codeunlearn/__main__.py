"""``python -m codeunlearn`` is the command ``codeunlearn``."""

from codeunlearn.cli.app import main

main()
