# poll.sh NAME CURSOR COUNT: where the operation stands, then bytes of its log.
d=$E/operations/$1
standing "$d"
[ -f "$d/log" ] && tail -c "+$(($2 + 1))" "$d/log" | head -c "$3"
exit 0
