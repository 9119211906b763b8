#!/usr/bin/env bash
# The peers are those of the engine's benchmark; see there.
#
#   bash tests/bench/pool/setup.sh FOLDER
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../engine/setup.sh" "$(dirname "${1:?a folder}")/engine"
