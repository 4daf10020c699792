#!/bin/sh
# Makes the results that the readers are tested with, by the tools themselves where they can be run:
#   make.sh PACEMARK LLAMA_BENCH MODEL TOKENIZER GUIDELLM AIPERF
# PACEMARK serves a mock whose truth is known (first token after 50 ms, then one every 5 ms); MODEL is a small GGUF file;
# TOKENIZER is a Hugging Face directory for the load tools' prompts. Written with llama.cpp of 2026-09, guidellm 0.8.1
# and aiperf 0.13.0. vLLM's own client needs vLLM: vllm.py writes what `benchmark()` of its serve.py does.
set -eu
cd "$(dirname "$0")"
pacemark=$1 llama_bench=$2 model=$3 tokenizer=$4 guidellm=$5 aiperf=$6
work=$(mktemp -d)
url=http://127.0.0.1:18391

here=$PWD
cp "$model" "$work/tiny.gguf"
cd "$work" # so that no path of this machine is in the results
"$llama_bench" -m tiny.gguf -p 8 -n 4 -r 6 -t 1 -o json 2>log >"$here/llama-bench.json"
"$llama_bench" -m tiny.gguf -p 8 -n 4 -r 2 -t 1 -o jsonl 2>log >"$here/llama-bench.jsonl"
cd "$here"

"$pacemark" serve --mock ttft=50ms,itl=5ms --port 18391 --quiet &
server=$!
trap 'kill $server; rm -r "$work"' EXIT
sleep 2
"$guidellm" run --backend kind=openai_http,target=$url --profile kind=concurrent,streams=2 \
    --constraint kind=max_requests,count=8 --tokenizer kind=huggingface_auto,model="$tokenizer" \
    --data kind=synthetic_text,prompt_tokens=32,output_tokens=8 --disable-console-interactive \
    --output kind=json,path="$work/guidellm.json" >"$work/log"
"$aiperf" profile --model mock --url $url --endpoint-type chat --streaming --tokenizer "$tokenizer" --request-count 8 \
    --concurrency 2 --isl 32 --osl 8 --extra-inputs ignore_eos:true --extra-inputs min_tokens:8 --ui none \
    --artifact-dir "$work/aiperf" >"$work/log"
python3 trim.py "$work/guidellm.json" "$work/aiperf/profile_export_aiperf.json"
python3 vllm.py
