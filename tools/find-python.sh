#!/bin/sh
# Prints a Python that mitmproxy 12 runs on (3.12 or newer), or says why there is none.
for python in python3.13 python3.12 python3.14 python3 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
    command -v "$python"
    exit 0
  fi
done
echo "Optout Proxy needs Python 3.12 or newer (mitmproxy 12 does); none of python3.13, python3.12, python3 here is." >&2
echo "Install one (your package manager, pyenv, or the installer of python.org) and run make again." >&2
exit 1
