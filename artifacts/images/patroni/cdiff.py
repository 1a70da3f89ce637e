"""patronictl colours what a change of its configuration would do by a package of this name, of which there is no wheel. Here
it is shown as it is."""

import sys

PatchStream = iter


def markup_to_pager(stream, _options):
    for line in stream:
        sys.stdout.write(line.decode() if isinstance(line, bytes) else line)
