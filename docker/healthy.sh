#!/bin/sh
# Whether the program in this container works. The dashboard: it serves its page. A peer: its event loop has
# written its report within the last 30 s, as it does every five seconds at least once it is in a session.
case ${SWARM_NAME:-peer} in
dashboard)
    exec python -S -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$SWARM_DASHBOARD_PORT/', timeout=4)"
    ;;
*) [ $(($(date +%s) - $(stat -c %Y /state/report.json))) -lt 30 ] ;;
esac
