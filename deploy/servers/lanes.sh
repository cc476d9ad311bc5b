# What the scripts of integration tests share; they source it: a folder for what is left behind, and lanes, which
# are functions NAME_lane that go on beside each other and are ended as a whole. Sets folder, servers, VENVS, TMPDIR.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
suite=$(basename "$0")
rm -rf "${1:?FOLDER is missing}"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
servers=$PWD/deploy/servers/servers
export VENVS=${VENVS:-$PWD/.tools/servers}
case $VENVS in /*) ;; *) VENVS=$PWD/$VENVS ;; esac

missing=0
need() { # COMMAND PACKAGE: notes what this machine lacks
  command -v "$1" >/dev/null && return
  echo "$suite: $1 is needed (Debian: apt-get install $2)" >&2
  missing=1
}

TMPDIR=$(mktemp -d)
export TMPDIR
jobs=()
at_end() { :; } # for the script to say what it stops
finish() {
  for job in "${jobs[@]}"; do kill -TERM -- "-$job" 2>/dev/null || true; done
  wait
  at_end || true
  rm -rf "$TMPDIR"
}
trap finish EXIT
trap 'exit 130' INT TERM

# package NAME ARGUMENT...: a test binary in the folder of its package, since it reads testdata.
package() { (cd "internal/$1" && exec "$folder/$1.test" -test.v -test.timeout 5m "${@:2}"); }

lane() { # NAME: in a process group of its own, so that it can be ended as a whole
  set -m
  (
    from=$SECONDS
    "${1}_lane"
    echo "lane $1: $((SECONDS - from)) s"
  ) >"$folder/$1-tests.log" 2>&1 &
  jobs+=($!)
  set +m
}

lanes() { # NAME...: all of them, beside each other; returns when the last has ended, exits when one has failed
  local name job failed=0 logs=("${@/#/$folder/}")
  logs=("${logs[@]/%/-tests.log}")
  for name in "$@"; do lane "$name"; done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  jobs=()
  grep -hE '^( *--- |lane )' "${logs[@]}" || true
  [ "$failed" = 0 ] && return
  tail -n 200 "${logs[@]}"
  echo "$suite: failed; what is left of it is in $folder" >&2
  exit 1
}
