#!/usr/bin/env bash
# Gets OpenCV's own reader of pictures and its maker of model inputs, which only this part needs.
#
#   bash tests/bench/preprocess/setup.sh FOLDER
#
# Exit 0: done. Exit 1: a package cannot be had. Exit 2: usage.
set -euo pipefail
if [[ $# -ne 1 ]]; then
  echo "setup.sh: usage: bash tests/bench/preprocess/setup.sh FOLDER" >&2
  exit 2
fi
exec bash "$(dirname "${BASH_SOURCE[0]}")/../../../cmake/install_packages.sh" --pictures
