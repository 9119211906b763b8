#!/usr/bin/env bash
# Measures parts of Sluice beside their peers, in the same run, and holds the figures against bars.tsv.
#
#   tests/bench/run.sh [--setup-only | --no-setup] PART... [-- OPTION...]
#   tests/bench/run.sh infer                                  everything of one part
#   tests/bench/run.sh infer -- --models vgg19 --quick        OPTIONs go to the part
#
# Sets up what it needs, from a clean clone: Debian packages, peers from PyPI in build/bench-venv, the
# release preset. --setup-only stops there, --no-setup takes what the last set-up left.
# Prints the machine, the part's raw figures and one line for each bar: BAR name value op bar ok|short.
# Exit 0: measured, all bars ok. Exit 1: a bar is short, or could not be measured. Exit 2: usage.
#
# A part is a folder here. It has measure.py, or a program bench_PART, or both, and measure.py runs then:
#   CMakeLists.txt   a target bench_PART, with the programs
#   setup.sh         gets DIR (scratch, kept) before the build: a part whose peers are not from PyPI
#   measure.py       gets --bin DIR (built programs) and --work DIR (scratch, kept) before OPTIONs
# It prints raw figures and, for bars.py, `VALUE name value`; its bars are lines of bars.tsv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  echo "run.sh: $1; usage: tests/bench/run.sh [--setup-only | --no-setup] PART... [-- OPTION...]" >&2
  echo "parts: ${known[*]}" >&2
  exit 2
}

mapfile -t known < <(find tests/bench -mindepth 1 -maxdepth 1 -type d ! -name '__*' -printf '%f\n' | sort)
set_up=yes
measure=yes
parts=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --setup-only) measure=no ;;
    --no-setup) set_up=no ;;
    --) shift; break ;;
    -*) usage "unknown option $1" ;;
    *)
      [[ " ${known[*]} " == *" $1 "* ]] || usage "no part is named $1"
      parts+=("$1")
      ;;
  esac
  shift
done
[[ ${#parts[@]} -gt 0 ]] || usage "no part is named"

build=build/release
venv=build/bench-venv

# The peers, installed anew when the list of them has changed.
set_up_peers() {
  cmp -s tests/bench/requirements.txt "$venv/requirements.txt" && return
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" --quiet --disable-pip-version-check install --requirement tests/bench/requirements.txt
  cp tests/bench/requirements.txt "$venv/requirements.txt"
}

if [[ $set_up == yes ]]; then
  targets=(sluice_program)
  needs_peers=no
  for part in "${parts[@]}"; do
    [[ ! -e tests/bench/$part/CMakeLists.txt ]] || targets+=("bench_$part")
    [[ ! -e tests/bench/$part/measure.py || -e tests/bench/$part/setup.sh ]] || needs_peers=yes
  done
  bash cmake/install_packages.sh
  for part in "${parts[@]}"; do
    [[ ! -e tests/bench/$part/setup.sh ]] || bash "tests/bench/$part/setup.sh" "build/bench/$part"
  done
  bash examples/ocr/fetch_models.sh v6 v4
  [[ $needs_peers == no ]] || set_up_peers
  cmake --preset release -DSLUICE_BENCHMARKS=ON
  cmake --build "$build" --parallel --target "${targets[@]}"
fi
[[ $measure == yes ]] || exit 0

describe_machine() {
  local processor commit
  processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
  echo "Machine: ${processor:-unknown processor}, $(nproc) cores, Linux $(uname -r) $(uname -m)"
  echo "Commit: $commit, $(date -u +%F), load $(cut -d' ' -f1 /proc/loadavg)"
}

run_part() {
  local part=$1
  shift
  if [[ -e tests/bench/$part/measure.py ]]; then
    mkdir -p "build/bench/$part"
    local python=$venv/bin/python
    [[ -x $python ]] || python=/usr/bin/python3
    "$python" "tests/bench/$part/measure.py" --bin "$build/bin" --work "build/bench/$part" "$@"
  else
    "$build/bin/bench_$part" "$@"
  fi
}

busy_ticks() { awk '$1 == "cpu" { print $2 + $3 + $4 + $9 }' /proc/stat; }  # the last: stolen by other machines

# In a process of its own: it counts what its children have used.
measure_part() {
  local code=0 start=$SECONDS self=$BASHPID before seconds others
  before=$(busy_ticks)
  run_part "$@" || code=$?
  seconds=$((SECONDS - start))
  others=$(($(busy_ticks) - before - $(awk '{ print $14 + $15 + $16 + $17 }' "/proc/$self/stat")))
  # With more than some per cent here, the figures above are worth little.
  echo "Others used $((others * 100 / $(getconf CLK_TCK) / (seconds > 0 ? seconds : 1))) % of a core meanwhile ($seconds s)."
  [[ $code -eq 0 ]] || echo "UNMEASURED * the measurement ended with exit status $code"
  return "$code"
}

status=0
for part in "${parts[@]}"; do
  describe_machine
  echo "Part: $part $*"
  codes=(0 0)
  measure_part "$part" "$@" | /usr/bin/python3 tests/bench/bars.py "$part" || codes=("${PIPESTATUS[@]}")
  # 2 is what a part, as any program here, ends with for an option that it does not know.
  [[ ${codes[0]} -ne 2 ]] || exit 2
  [[ ${codes[*]} == "0 0" ]] || status=1
done
exit "$status"
