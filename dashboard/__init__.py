"""The dashboard: one more peer that watches, and the page it shows to browsers.

Snapshots flow one way: source -> pump -> sockets -> page. All that a browser can send to the swarm
are commands, over HTTP, once it signed in.

    snapshot    what a snapshot holds; source: where it comes from
    changes     what differs between two snapshots: the only thing sent to a browser
    pump        the one thread that sends them, ten times a second at most
    api         the present, the past and everything as JSON; schemas: derived from the snapshot's
    metrics     for Prometheus
    tensorboard logs for TensorBoard
    operator_api  signing in, and commands
    credentials    the token, the cookie, the CSRF header; sessions: who is signed in, and lock-out
    request guard     who may speak to the server: Host, Origin, and how many sockets
    tabs        the page's tabs and their addresses
    assets      which files of the installed front-end libraries are served
    app         the Flask application: page, assets, JSON, socket
    server      binds the port and runs the application under gunicorn
    config      where to listen and how many browsers to serve
    static/js   the page itself: plain ES modules, no build
"""
