#!/bin/bash
# What gaiad-unit.ts asks of systemctl, for one unit, where systemd is not PID 1: show, start, stop --no-block, kill. The
# unit's program is a real process. State is a folder of one-line files: load, command (one word a line), log, pid, code, status, starts.
set -eu
state=$1 verb=$2
read_state() { cat "$state/$1" 2>/dev/null || echo "$2"; }
alive() { [[ $(cut -d' ' -f3 "/proc/$(read_state pid none)/stat" 2>/dev/null || echo Z) != Z ]]; }
case $verb in
  show)
    printf 'LoadState=%s\nMainPID=%s\nExecMainCode=%s\nExecMainStatus=%s\nResult=success\n' "$(read_state load loaded)" \
      "$(if alive; then read_state pid 0; else echo 0; fi)" "$(read_state code 0)" "$(read_state status 0)"
    ;;
  start)
    if ! alive; then
      mapfile -t command <"$state/command"
      setsid "${command[@]}" >>"$(read_state log /dev/null)" 2>&1 </dev/null &
      echo $! >"$state/pid"
      echo $(($(read_state starts 0) + 1)) >"$state/starts"
    fi
    ;;
  stop | kill)
    signal=TERM code=1 status=0
    if [[ $verb == kill ]]; then signal=KILL code=2 status=9; fi
    echo $code >"$state/code"
    echo $status >"$state/status"
    if alive; then kill -s $signal "$(read_state pid 0)"; fi
    ;;
  *)
    echo "Unknown command verb $verb." >&2
    exit 1
    ;;
esac
