#!/bin/sh
# with_extra.sh COMMAND...: runs a command with the settings in docker/extra/ for the package indexes.
set -eu
if [ -f /extra/ca.crt ]; then
    export PIP_CERT=/extra/ca.crt NODE_EXTRA_CA_CERTS=/extra/ca.crt
fi
if [ -f /extra/pip.conf ]; then
    export PIP_CONFIG_FILE=/extra/pip.conf
fi
if [ -f /extra/npmrc ]; then
    export NPM_CONFIG_USERCONFIG=/extra/npmrc
fi
if ls /extra/*.whl >/dev/null 2>&1; then
    export PIP_FIND_LINKS=/extra
fi
exec "$@"
