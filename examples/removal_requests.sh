#!/usr/bin/env bash
# Several removal requests, one after the other, and one of them taken back.
#
#     examples/removal_requests.sh models/en-fr-mini tatoeba requests/
#
# Arguments: a model with a codebook, parallel text (see `codeunlearn forget --help`), and a new folder for the results.
set -euo pipefail
model=$1 data=$2 out=$3
mkdir -p "$out"

# Each request is found on the untouched model, so that it can be applied, lifted and joined on its own.
for topic in dog music; do
    codeunlearn forget "$model" --topic "$topic" --data "$data" --search-size 100 --max-codes 12 --out "$out/$topic.json"
done

codeunlearn apply "$model" "$out/dog.json" "$out/music.json" --out "$out/both"
echo "The dog likes music." | codeunlearn translate "$out/both"

codeunlearn restore "$out/both" --topic music --out "$out/without-dog"
codeunlearn show "$out/without-dog"

# What is handed out: the rows are no longer in the file.
codeunlearn apply "$model" "$out/dog.json" --out "$out/released" --commit
