#!/usr/bin/env bash
# From a clean clone to text read off pages, on Debian 12:
#   bash examples/quickstart.sh
# Installs what is missing, builds the program, draws pages of known text, reads them, and says where
# the result is. Run it again as often as you like: what is done already is not done twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install_packages.sh
bash examples/ocr/fetch_models.sh
cmake --preset release
cmake --build build/release --parallel
program=build/release/bin/sluice
echo "Program: $program (models run on the CPU; nothing here needs a GPU)"

pages=examples/ocr/pages
out=examples/ocr/out
/usr/bin/python3 examples/ocr/make_pages "$pages"

echo "Running: $program run examples/ocr/ocr.yaml -p pages=$pages -p out=$out --overwrite"
code=0
"$program" run examples/ocr/ocr.yaml -p pages="$pages" -p out="$out" --overwrite || code=$?

# Two of the files are broken on purpose, and a run that rejected an item says so by exit code 3.
if [[ $code -ne 3 ]]; then
  echo "quickstart.sh: the run ended with exit code $code where 3 was expected (all pages but two read)" >&2
  exit 1
fi
cat <<EOF

Exit code 3 is right here: two of the files are no pictures, a JPEG that was cut short and a text file
named .jpg. They were rejected and the run went on; with every file in order it would be 0.
  text       $out/pages.jsonl      a line of JSON for each page
  pictures   $out/annotated/       each page with its boxes
  rejected   $out/rejects.jsonl    which files, and why
Your own pages: $program run examples/ocr/ocr.yaml -p pages=DIR -p out=DIR
EOF
