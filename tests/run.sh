#!/usr/bin/env bash
# Installs what the tests need, builds them and runs every one. Works from a clean clone, and again after.
#   tests/run.sh [--preset dev|asan|tsan]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=dev
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset=${2:?--preset needs a name: dev, asan or tsan}; shift 2 ;;
    *) echo "tests/run.sh: unknown argument $1; usage: tests/run.sh [--preset dev|asan|tsan]" >&2; exit 2 ;;
  esac
done

bash cmake/install_packages.sh --tests
bash examples/ocr/fetch_models.sh v6 v4
# The tests of a backend whose library is not there are skipped, and say so.
bash cmake/fetch_backends.sh || echo "tests/run.sh: going on without the backends that are missing" >&2
if command -v nvcc > /dev/null; then
  bash cmake/fetch_cudnn_frontend.sh || echo "tests/run.sh: going on without the CUDA plugin" >&2
fi
cmake --preset "$preset"
cmake --build "build/$preset" --parallel
ctest --test-dir "build/$preset" --output-on-failure --parallel "$(nproc)" --timeout 300
