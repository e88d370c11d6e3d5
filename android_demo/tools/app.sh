# Measures in an app: sh app.sh --graph=DIGEST-ID.apk --num_threads=N ..., with benchmark_model's flags. It installs the app
# ID, starts it, prints what its measurement logs, and removes it.
threads=1 seconds=1
for flag in "$@"; do
  case "$flag" in
    --graph=*) apk="${flag#*=}" ;;
    --num_threads=*) threads="${flag#*=}" ;;
    --min_secs=*) seconds="${flag#*=}" ;;
  esac
done
id="${apk##*/}"
id="${id#*-}"
id="${id%.apk}"

fail() {
  echo "ERROR: $1"
  exit 1
}

remove() {
  pm uninstall "$id" >/dev/null 2>&1
}

trap remove EXIT
trap 'exit 143' HUP INT TERM
said="$(pm install -r "$apk" 2>&1)"
case "$said" in
  *Success*) ;;
  *) fail "Android does not take the app ($said)" ;;
esac
since="$(date '+%m-%d %H:%M:%S.000')"
said="$(am start -W -n "$id/bnext.app.Main" --ei threads "$threads" --ei seconds "${seconds%.*}" 2>&1)"
case "$said" in
  *Error*) fail "Android does not start the app ($said)" ;;
esac
# Waits for the measurement's last line, without taking the processor's time meanwhile.
logcat -v raw -T "$since" -m 1 -e '^END$' -s bnext:I >/dev/null 2>&1
logcat -v raw -T "$since" -d -s bnext:I 2>&1
