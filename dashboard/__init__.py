"""The dashboard: one more peer that only watches, and the page it shows to browsers.

Snapshots flow one way: source -> pump -> sockets -> page. Nothing that a browser sends reaches
the swarm.

    snapshot    what a snapshot holds, and the source it comes from
    changes     what differs between two snapshots: the only thing sent to a browser
    pump        the one thread that sends them, ten times a second at most
    doorman     who may speak to the server: Host, Origin, and how many sockets
    assets      which files of the installed front-end libraries are served
    app         the Flask application: page, assets, JSON, socket
    server      binds the port and runs the application under gunicorn
    config      where to listen and how many browsers to serve
    static/js   the page itself: plain ES modules, no build
"""
