"""The dashboard: a peer that only watches, and the page that it shows in browsers.

Snapshots flow one way: source -> broadcaster -> sockets -> page. Browsers can only send operator
commands, after signing in, and questions to ensembles: both over HTTP.

__main__   `python -m dashboard`: the command line
config     settings of the server: where to listen, whom to answer, how many browsers to serve
server     binds the port and runs the application under gunicorn
app        the Flask application: page, assets, JSON, socket
page       what the server sends to browsers: files, and snapshots as they change
watching   the types of a snapshot, its source, and other ways to read it than the page
ensemble   ensembles over HTTP: an API, and the Open Inference Protocol
access     which requests the dashboard answers, and for whom

`static/` is the page itself: plain ES modules, no build step. `templates/` has the HTML pages.
"""
