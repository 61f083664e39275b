#!/bin/sh
# Whether the program in this container works. A dashboard works if it serves its page. A peer works if its event
# loop wrote the report within the last 30 s; in a session it does so at least every five seconds.
case ${SWARM_NAME:-peer} in
dashboard)
    exec python -S -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$SWARM_DASHBOARD_PORT/', timeout=4)"
    ;;
*) [ $(($(date +%s) - $(stat -c %Y /state/report.json))) -lt 30 ] ;;
esac
