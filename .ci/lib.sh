# What .ci/run and .ci/full share: stages, each with a limit of time, and the
# closing count. Sourced by both from the root of the repository.
# shellcheck shell=bash

passed=0 failed=0 skipped=0 summary=''

# stage NAME SECONDS FUNCTION [ARGS…] runs a function of this file in a shell
# of its own, so that a hang in it ends with its time and not with the run's.
# The first stage that fails ends the run.
stage() {
	local name=$1 limit=$2 began=$SECONDS code=0
	shift 2
	printf '\n=== %s (at most %d s)\n' "$name" "$limit"
	timeout --kill-after=10 "$limit" bash -c 'set -euo pipefail; source .ci/lib.sh; "$@"' stage "$@" </dev/null || code=$?
	local took=$((SECONDS - began)) result=ok
	case $code in
	0) passed=$((passed + 1)) ;;
	77) skipped=$((skipped + 1)) result='skipped' ;;
	124 | 137) failed=$((failed + 1)) result="FAILED: not done after $limit s" ;;
	*) failed=$((failed + 1)) result="FAILED: exit code $code" ;;
	esac
	printf -- '--- %s: %s, %d s\n' "$name" "$result" "$took"
	summary+=$(printf '%-12s %5d s  %s' "$name" "$took" "$result")$'\n'
	if [[ $failed -gt 0 ]]; then
		close
		exit 1
	fi
}

# skip REASON ends a stage that has nothing to do yet.
skip() {
	echo "skipped: $*"
	exit 77
}

# close prints what every stage took, then the count that CI reads.
close() {
	printf '\n%s\n%d passed, %d failed, %d skipped\n' "$summary" "$passed" "$failed" "$skipped"
}

# tool NAME [ARGS…] runs a tool at the version that tools/go.mod pins.
tool() { go tool -modfile=tools/go.mod "$@"; }

tests() { go test ./...; }

tidy() { go test -count=1 ./internal/tidy; }

vet() { go vet ./... && go vet .ci/demo.go; }

format() {
	local files
	files=$(git ls-files '*.go' | grep -v '/testdata/')
	# shellcheck disable=SC2086
	files=$(tool gofumpt -l $files)
	if [[ -n $files ]]; then
		printf 'not as gofumpt writes it; run: go tool -modfile=tools/go.mod gofumpt -w FILE\n%s\n' "$files"
		return 1
	fi
	echo 'every Go file is as gofumpt writes it'
}

# model checks docs/model; it takes Quint from npm and spin from Debian.
model() { docs/model/check; }

static() { tool staticcheck ./... && echo 'staticcheck has no finding'; }

# race needs a C compiler, which a machine made for Go alone may lack. Tests
# that count allocations (…Allocat… in their names) are left out: the race
# detector makes some of its own.
race() {
	if ! command -v gcc >/dev/null && ! command -v clang >/dev/null; then
		apt-get update -qq && apt-get install -y -qq gcc libc6-dev
	fi
	CGO_ENABLED=1 go test -race -short -timeout=24m -skip='Allocat' . ./core/... ./store/...
}

# fuzz_targets prints "folder name" of every fuzz target of this module.
fuzz_targets() {
	git ls-files '*_test.go' | grep -vE '^(tools|interop)/' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]*' /dev/null |
		sed -E 's|^([^:]*/)?[^/:]*:func (.*)$|./\1 \2|'
}

# fuzz SECONDS TOTAL gives every target so many seconds, fewer if all together
# would take more than the total.
fuzz() {
	local each=$1 total=$2 count folder name
	count=$(fuzz_targets | wc -l)
	[[ $count -gt 0 ]] || skip 'there is no fuzz target'
	((each * count <= total)) || each=$((total / count > 0 ? total / count : 1))
	echo "$count targets, $each s each"
	while read -r folder name; do
		fuzz_one "$folder" "$name" "$each" || fuzz_again "$folder" "$name" "$each"
	done < <(fuzz_targets)
}

fuzz_one() {
	fuzz_log=$(go test -run='^$' -fuzz="^$2\$" -fuzztime="$3s" -fuzzminimizetime=5s "$1" 2>&1) || {
		printf '%s\n' "$fuzz_log"
		return 1
	}
	printf '%s %s: %s\n' "$1" "$2" "$(grep -E '^fuzz: elapsed' <<<"$fuzz_log" | tail -1)"
}

# fuzz_again repeats a target that failed without a failing input: the fuzzer
# of Go now and then reports its own end of time as a failure of the target.
fuzz_again() {
	grep -q 'context deadline exceeded' <<<"$fuzz_log" || return 1
	! grep -q 'Failing input' <<<"$fuzz_log" || return 1
	echo "$1 $2: only the time ran out; once more"
	fuzz_one "$@"
}

simulator() {
	[[ -d sim ]] || skip 'there is no sim yet'
	go test -count=1 ./sim/...
}

# demo ARGS… runs the demonstration as .ci/demo.go says; its arguments are those.
demo() {
	[[ -d cmd/waymark ]] || skip 'there is no cmd/waymark yet'
	local folder
	folder=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$folder'" EXIT
	go build -o "$folder/waymark" ./cmd/waymark
	go run .ci/demo.go -waymark "$folder/waymark" "$@"
}

# mutants plants defects and sees them caught; NAME takes only those so named.
mutants() { go run ./internal/mutate ${1:+-only "$1"}; }

# random draws the drawn tests anew, so many times each.
random() {
	grep -rl '"pgregory.net/rapid"' --include='*_test.go' . | xargs -n1 dirname | sort -u |
		xargs go test -count=1 -timeout=50m -rapid.seed=0 -rapid.checks="$1"
}

# explore walks every schedule of networks that go test has no time for.
explore() {
	go test -count=1 -timeout=50m ./core/lookup -run TestEverySchedule -explore.n 6 -explore.paths 2
	go test -count=1 -timeout=50m ./core/lookup -run TestEverySchedule -explore.n 8
}

# scale holds the simulator to the limits of its design, which are of a machine
# that does nothing else.
scale() {
	go test -timeout=3h ./sim -run X -bench Scale -benchtime 1x -scale.hold \
		-scale.boot 1000,3000,10000,100000 -scale.lookups 10000,100000,1000000 -scale.asked 20000
}

# soak lets a town live through a week in which nothing may grow, and a whole
# network through 90 minutes in which its tables may not empty.
soak() {
	go test -count=1 -v -timeout 1h ./sim -run '^TestDaysOfChurn' -soak.nodes 100 -soak.lasts 168h &&
		go test -count=1 -v -timeout 1h ./sim -run '^TestBucketsStayFull' -fill.nodes 3000
}

# bench prints the table of the macro benchmark; it asserts no times.
bench() { go run ./bench "$@"; }

# wayback takes real hosts through every fault of the guarantee's promise 2, all
# of them at once, for most of it is waiting.
wayback() { go test -count=1 -v -timeout 10m -parallel 32 -run '^TestTheWayBackO' . -wayback; }

# hosts runs nodes in processes and network namespaces of their own: a sample, or
# everything so many times in a row. It needs root, and iproute2 from Debian.
hosts() {
	[[ $(id -u) -eq 0 ]] || skip 'network namespaces need root'
	if ! command -v ip >/dev/null; then
		apt-get update -qq && apt-get install -y -qq iproute2
	fi
	if [[ $# -eq 0 ]]; then
		go test -count=1 -v -parallel 32 ./internal/testkit
	else
		go test -count="$1" -failfast -v -timeout 85m -parallel 32 -run '^TestHosts$|^TestNeighbours|^TestAnInterface' ./internal/testkit -hosts.whole
	fi
}

# worlds runs every scenario of the simulator with every share of dead members,
# so many lookups of callers over all, and prints a row for each.
worlds() { go test -count=1 -v -timeout 4h ./sim -run '^TestWorlds$' -worlds "$1"; }

# interop runs boxo's programs on Waymark, and then tries it beside the strangers
# whose packages are to be had. Their programs are built first, which takes some
# five minutes the first time.
interop() {
	(cd interop && go vet ./... && go test -count=1 ./...) && interop/run "$@"
}

# beside measures Waymark beside the strangers whose packages are to be had, each
# in the same network: first where nobody is faulty, then with fewer lookups, of
# which a stranger's may take a minute.
beside() {
	interop/run -beside -faulty 0 -lookups 100 -records 20 "$@"
	interop/run -beside -faulty 10,30,50 -lookups 20 -width 12 "$@"
}

# conform has the hostile kit exercise strangers on this machine, and then, where
# there can be network namespaces, Waymark and js-libp2p across a LAN.
conform() {
	local built=${XDG_CACHE_HOME:-$HOME/.cache}/waymark-interop js peers=()
	interop conform
	[[ $(id -u) -eq 0 ]] || { echo 'network namespaces need root: not across a LAN' >&2; return 0; }
	for js in "$built"/js-*/peer.js; do
		[[ -e $js ]] && peers=(-hosts.peer "js=node $js")
	done
	go test -count=1 -v -timeout 15m ./internal/testkit -run '^TestConformAcrossALAN$' \
		-hosts.waymark "$built/waymark" -hosts.peer "waymark=$built/peer" "${peers[@]}"
}

# records stores and finds values and providers on real hosts, so many of each.
records() { go test -count=1 -v -timeout 18m -run '^TestRecordsAmong' . -records "$1"; }

# crash kills a process that writes to the store on disk, so many times.
crash() { go test -count=1 -v -timeout 25m ./store/lsm -run '^TestKilled$' -kills "$1"; }

# stores prints what the stores can do, with what go-libp2p-kad-dht was measured
# at, or what is wanted, in brackets.
stores() {
	echo 'provider add, in memory                                             [wanted: 1 µs]'
	go test -run='^$' -bench='Add|Renew' -benchtime=1000000x ./store/memory | grep '^Bench'
	echo 'find 20 providers  [12 µs cached; 2 ms of 20 000; 77-290 ms of 100 000-200 000 records]'
	go test -run='^$' -bench=Find20 ./store/memory | grep '^Bench'
	echo 'a million provider records in memory                                [wanted: 200 MB]'
	go test -run='^$' -bench=Million -benchtime=1x ./store/memory | grep '^Bench'
	echo 'provider adds on disk, durable, one a call and a thousand a call    [wanted: 50 000/s]'
	go test -run='^$' -bench='Add$' -benchtime=1000000x ./store/lsm | grep '^Bench'
	go test -run='^$' -bench=AddBatch -benchtime=1000x ./store/lsm | grep '^Bench'
	echo 'a million records on disk: ready again, and find 20                 [wanted: 5 s]'
	go test -run='^$' -bench=Million ./store/lsm | grep '^Bench'
}

# readme runs the command that the README shows first, as it shows it.
readme() {
	[[ -d cmd/waymark ]] || skip 'there is no cmd/waymark yet'
	go run ./cmd/waymark demo
}

# sweep keeps a hundred thousand keys provided: at most 3500 lookups in a cycle,
# and each key on at least 18 of its 20 closest peers that live.
sweep() {
	for dead in 0 15 26; do
		go run ./cmd/waymark sim run sweep --nodes 10000 --seed 1 --dead "$dead" --set keys=100000
	done
}
