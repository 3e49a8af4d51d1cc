#!/usr/bin/env bash
# Runs the commands of sdk/README.md, "From nothing to a refused request", in a folder of its own.
set -euo pipefail

readme=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../sdk" && pwd)/README.md
port=${PORT:-4000}
dir=$(mktemp -d)
gateway=
cleanup() {
	if [[ -n $gateway ]]; then
		kill "$gateway" 2>/dev/null || true
		wait "$gateway" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir"

# block KIND N prints the Nth block of that kind in the section.
block() {
	awk -v open="\`\`\`$1" -v n="$2" '
		/^## / { here = /From nothing to a refused request/ }
		here && inside && /^```/ { inside = 0; next }
		here && !inside && $0 == open { inside = 1; count++; next }
		here && inside && count == n
	' "$readme" | sed "s/:4000/:$port/"
}

# step shows commands and runs them here, so that a cd stays.
step() {
	[[ -n $1 ]] || { echo "sdk/README.md has lost a block" >&2; exit 1; }
	while IFS= read -r command; do
		echo "\$ $command"
		eval "$command"
	done <<<"$1"
}

start=$SECONDS
began=$(date +%s%N)
step "$(block sh 1)"
block yaml 1 >config.yaml

serve=$(block sh 2)
echo "\$ $serve &"
$serve --port "$port" >gateway.log 2>&1 &
gateway=$!
until curl -sf "http://127.0.0.1:$port/health/liveliness" >/dev/null; do
	if ! kill -0 "$gateway" 2>/dev/null || ((SECONDS - start > 300)); then
		cat gateway.log >&2
		exit 1
	fi
	sleep 0.1
done

answer=$(step "$(block sh 3)")
took=$((($(date +%s%N) - began) / 1000000))
echo "$answer"
[[ $answer == *"$(block json 1)"* ]] || { echo "the answer is not the one that sdk/README.md shows" >&2; exit 1; }
printf 'from nothing to a refused request: %d.%01d seconds\n' $((took / 1000)) $((took % 1000 / 100))
