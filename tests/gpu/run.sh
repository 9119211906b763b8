#!/usr/bin/env bash
# Measures and checks Sluice on this machine's first GPU, in under ten minutes, and holds the figures against bars.tsv.
#
#   tests/gpu/run.sh [--quick] [--out DIR] [--only SECTION,...]
#
# Sections: m1 m3 m4 m5 m6 m7 m8 m9 m12 m14 peers; all unless --only names some. --quick measures less of each, with a
# soak (m12) of 20 seconds in place of five minutes. Uses tests/gpu/pack/suite.tar.xz (pack.sh)
# where it is there, else builds.
# Writes results.json, results.md, suite.tsv and suite.log to DIR (build/gpu-results), and prints a line for each bar:
#   BAR name value op bar ok|short
# A section that fails or is over its time does not end the run; its bars are short and say why.
# Exit 0: all bars ok. 1: one is short or was not measured. 2: usage. 3: there is no GPU that can be used.
set -uo pipefail  # not -e: what fails is said, and the rest goes on
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root here=$root/tests/gpu
readonly all="m1 m4 m5 m6 m7 m8 m9 m3 m12 peers m14" longest_s=585 soak_s=300

usage() {
  echo "run.sh: $1; usage: tests/gpu/run.sh [--quick] [--out DIR] [--only SECTION,...]; sections: $all" >&2
  exit 2
}

quick=()
out=$root/build/gpu-results
sections=$all
while [[ $# -gt 0 ]]; do
  case "$1" in
    --quick) quick=(--quick) ;;
    --out) [[ $# -ge 2 ]] || usage "--out wants a folder"; out=$2; shift ;;
    --only)
      [[ $# -ge 2 ]] || usage "--only wants sections"
      sections=${2//,/ }
      for section in $sections; do
        [[ " $all " == *" $section "* ]] || usage "no section is named $section"
      done
      shift
      ;;
    *) usage "unknown argument $1" ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: > "$work/sections.tsv"

# --- what is run
if [[ -e $here/pack/suite.tar.xz ]]; then
  mkdir "$work/pack"
  # Python's own, since a bare machine may have no xz.
  python3 -m tarfile --extract "$here/pack/suite.tar.xz" "$work/pack" ||
    echo "run.sh: tests/gpu/pack/suite.tar.xz cannot be unpacked" >&2
  bin=$work/pack/bin
  libraries=$work/pack/lib
  commit=$(cat "$work/pack/COMMIT" || echo unknown)
else
  bin=$root/build/gpu/bin
  libraries=
  commit=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
  if ! { cmake -S "$root" -B "$root/build/gpu" -DCMAKE_BUILD_TYPE=Release -DSLUICE_CUDA=ON -DSLUICE_EXAMPLES=OFF &&
    cmake --build "$root/build/gpu" --target sluice_gpu_suite --parallel; } >&2; then
    echo "run.sh: the suite could not be built here; tests/gpu/pack.sh packs it on a machine where it can" >&2
  fi
fi

# Folders where libraries of CUDA may be: of the toolkit, or of PyTorch's wheels.
cuda_folders() {
  printf '%s\n' /usr/local/cuda*/lib64 /usr/local/cuda*/lib /usr/local/cuda*/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu
  python3 -c 'import glob, site, sys
for folder in [*sys.path, *site.getsitepackages()]:
    print(*glob.glob(folder + "/nvidia/*/lib"), sep="\n")' 2>/dev/null
}

# Those with what the plugin needs and the loader does not find by itself, and with nvrtc, which cuDNN opens on its own.
find_cuda_libraries() {
  local plugin missing name folder folders=
  plugin=$(find "$bin/.." -name libsluice_cuda.so -print -quit 2>/dev/null)
  [[ -n $plugin ]] || return 0
  missing=$(LD_LIBRARY_PATH=$libraries ldd "$plugin" 2>/dev/null | awk '/not found/ { print $1 }' | sort -u)
  for name in $missing 'libnvrtc.so.1?'; do
    while read -r folder; do
      compgen -G "$folder/$name" > /dev/null || continue
      [[ ":$folders:" == *":$folder:"* ]] || folders+=${folders:+:}$folder
      break
    done < <(cuda_folders)
  done
  printf '%s' "$folders"
}
cuda_libraries=$(find_cuda_libraries)

# For the programs of the suite alone: to others, as Python, the pack's libraries are strangers.
library_path=$libraries${cuda_libraries:+:$cuda_libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# --- running
begin=$SECONDS
left() { echo $((longest_s - (SECONDS - begin))); }

# Runs section $1 for at most $2 seconds: what it prints goes to NAME.tsv, what it says to NAME.log.
run_section() {
  local name=$1 most=$2 status=0 from=$SECONDS
  shift 2
  [[ $(left) -gt $most ]] || most=$(left)
  if [[ $most -lt 3 ]]; then
    printf 'UNMEASURED\t%s.*\tno time was left\n' "${name%%_*}" >> "$work/$name.tsv"
  else
    timeout --kill-after=5 "$most" "$@" >> "$work/$name.tsv" 2>> "$work/$name.log" || status=$?
  fi
  printf '%s\t%d\t%d\n' "$name" $((SECONDS - from)) "$status" >> "$work/sections.tsv"
  echo "run.sh: $name: $((SECONDS - from)) s, exit status $status" >&2
}
run_program() {
  local name=$1 most=$2
  shift 2
  run_section "$name" "$most" env "LD_LIBRARY_PATH=$library_path" "$@"
}

finish() {
  local status=0
  python3 "$here/report.py" --work "$work" --out "$out" || status=$?
  echo "run.sh: results in $out" >&2
  exit "${1:-$status}"
}

{
  printf 'date\t%s\n' "$(date -u '+%F %T UTC')"
  printf 'commit\t%s\n' "$commit"
  printf 'options\t%s\n' "${quick[*]:-none}, sections: $sections"
  printf 'host\t%s, %s cores\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
} > "$work/machine.tsv"

# Ends without a figure, with exit status $1; $2 is why, and $3 all there is to say of it.
give_up() {
  printf 'UNMEASURED\tm*\t%s\nUNMEASURED\tpeers*\t%s\n' "$2" "$2" > "$work/device.tsv"
  [[ -s $work/sections.tsv ]] || printf 'device\t0\t1\n' > "$work/sections.tsv"
  echo "run.sh: $2: $3" >&2
  finish "$1"
}

[[ -x $bin/gpu_device ]] || give_up 1 "the suite is not built" "its programs are not in $bin"
run_program device 60 "$bin/gpu_device"
if [[ $(cut -f3 "$work/sections.tsv") != 0 ]]; then
  give_up 3 "no GPU that can be used" "$(tail -n 1 "$work/device.log")"
fi
cat "$work/device.tsv" >> "$work/machine.tsv"
: > "$work/device.tsv"
cat "$work/machine.tsv" >&2

run_program doctor 30 "$bin/sluice" doctor

wanted() { [[ " $sections " == *" $1 "* ]]; }
cache=(--cache "$work/cache")
mkdir "$work/cache"

# The reports of one tool of compute-sanitizer over the cases that match a filter, as figure $1.
sanitize() {
  local name=$1 tool=$2 filter=$3 most=$4 log=$work/$1.log sanitizer
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || true
  if [[ -z $sanitizer ]]; then
    printf 'UNMEASURED\tm3.%s_reports\tcompute-sanitizer is not here\n' "$tool" > "$work/$name.tsv"
    run_section "$name" 5 true
    return
  fi
  run_program "${name}_cases" "$most" "$sanitizer" --tool "$tool" --log-file "$log" "$bin/gpu_operators" "--gtest_filter=$filter"
  # What the cases themselves say was said without the tool.
  : > "$work/${name}_cases.tsv"
  awk -v figure="m3.${tool}_reports" '
    /(ERROR|RACECHECK) SUMMARY:/ { for (i = 1; i < NF; ++i) if ($i == "SUMMARY:") count = $(i + 1) }
    /Device not supported|Error: |Target application returned an error/ { trouble = $0 }
    END {
      gsub(/\t/, " ", trouble)
      if (count != "" && trouble == "") printf "%s\t%d\treports\n", figure, count
      else printf "UNMEASURED\t%s\t%s\n", figure, trouble == "" ? "no summary; over its time?" : trouble
    }' "$log" > "$work/$name.tsv" 2>/dev/null || printf 'UNMEASURED\tm3.%s_reports\tno log\n' "$tool" > "$work/$name.tsv"
  run_section "$name" 5 true
}

! wanted m1 || run_program m1 40 "$bin/gpu_ceilings" "${quick[@]}"
! wanted m4 || run_program m4 150 "$bin/gpu_models" "${quick[@]}" "${cache[@]}" --profile
for section in m5 m6 m7 m8 m9; do
  most=$([[ $section == m5 ]] && echo 100 || echo 50)
  ! wanted "$section" || run_program "$section" "$most" "$bin/gpu_lanes" "${quick[@]}" "${cache[@]}" "$section"
done
if wanted m3; then
  run_program m3 90 "$bin/gpu_operators"
  run_program m3_tf32 40 "$bin/gpu_operators" tf32 '--gtest_filter=CudaConv*:CudaMatmul*'
  # Where Debian has ONNX's cases the program finds them by itself.
  data=${SLUICE_ONNX_TESTDATA:-$(python3 -c 'import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), "backend/test/data"))' 2>/dev/null)}
  [[ ! -d $data ]] || export SLUICE_ONNX_TESTDATA=$data
  run_program m3_onnx 70 "$bin/gpu_onnx"
  # Without what libraries compute nearly always.
  sanitize m3_memcheck memcheck '-CudaConv.SlidesAny*' 60
  sanitize m3_racecheck racecheck '-CudaConv*' 45
fi
# While lanes are soaked, which measures nothing that needs quiet, PyTorch compiles.
peers=
if wanted peers; then
  peer_options=("${quick[@]}" --seconds 45)
  ! wanted m12 || peer_options+=(--after "$work/soaked")
  python3 "$here/peers.py" "${peer_options[@]}" > "$work/peers.tsv" 2> "$work/peers.log" &
  peers=$!
fi
for_faults=$(wanted m14 && echo 40 || echo 0)
if wanted m12; then
  for_peers=$([[ -z $peers ]] && echo 0 || echo 75)
  seconds=$(($(left) - for_peers - for_faults - 15))
  [[ $seconds -lt $soak_s ]] || seconds=$soak_s
  [[ ${#quick[@]} -eq 0 || $seconds -lt 20 ]] || seconds=20
  if [[ $seconds -ge 5 ]]; then
    run_program m12 $((seconds + 15)) "$bin/gpu_lanes" "${cache[@]}" --seconds "$seconds" m12
  else
    run_section m12 0 true
  fi
  touch "$work/soaked"
fi
if [[ -n $peers ]]; then
  most=$(($(left) - for_faults))
  run_section peers $((most < 180 ? most : 180)) tail --pid="$peers" --follow /dev/null
  kill -KILL "$peers" 2>/dev/null || true
  wait "$peers" 2>/dev/null || true
fi
! wanted m14 || run_section m14 60 python3 "$here/faults.py" --bin "$bin" --libraries "$library_path"
finish
