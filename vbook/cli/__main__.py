"""``python -m vbook.cli`` is ``vbook``."""

from vbook.cli import main

main()
