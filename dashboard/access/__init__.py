"""Access: which requests the dashboard answers, and for whom.

request_guard   checks every request before anything else: host, origin, sockets, token
credentials     the token, the cookie and the CSRF header of a request
sign_ins        browsers that are signed in, and the lock-out after wrong tokens
operator_api    the API for operators: sign in, sign out, give commands
"""
