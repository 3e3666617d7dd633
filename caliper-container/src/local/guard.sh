# Ends the programs of a process that was killed, which cannot do so itself.
# sh -c THIS guard MARK
# Its standard input is a pipe from that process: `+` when a program begins, `-` when it has ended, and the end of the pipe
# when the process is gone. MARK begins an environment variable of all its programs and of what they started.
running=0
while read -r line; do
    case "$line" in
        +) running=$((running + 1)) ;;
        -) running=$((running - 1)) ;;
    esac
done
[ "$running" -gt 0 ] || exit 0
# What starts processes meanwhile is found in the next round.
for round in 1 2 3 4 5; do
    found=
    for process in /proc/[0-9]*; do
        if grep -qsa "$1" "$process/environ"; then
            kill -KILL "${process#/proc/}" 2>/dev/null && found=yes
        fi
    done
    [ -n "$found" ] || exit 0
done
