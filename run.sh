#!/usr/bin/env bash
# Sets up the project in its own folder, then starts a swarm or runs the tests. See --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'TEXT'
./run.sh [option...]          Install what is missing, then start six peers and a page to watch them. They run in
                              containers if a Docker engine answers, else as processes. --docker and --no-docker
                              choose one of the two.
./run.sh status               Show the peers of the current run.
./run.sh logs [peer]          Show the log lines of all peers or of one peer, and follow them.
./run.sh shell <peer>         Open a shell in the container or in the folder of a peer.
./run.sh stop                 End the run. It keeps its results so far.
./run.sh test                 Install what the tests need, then run everything that CI runs.
./run.sh test pytest-arg...   Install what the tests need, then run pytest with these arguments.
./run.sh check                Run the quick part: linters, types, import contracts, fast tests.
./run.sh setup                Only install what is missing.

Everything is installed into .venv/ and dashboard/node_modules/. The scripts in pre/ install system packages. If the
peers run in Docker, this machine only gets a small environment in .cache/launcher/.

TEXT
}

say() { printf '\n==> %s\n' "$*"; }

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed, but it is not in PATH." \
        "On Debian or Ubuntu, install it with: apt-get install python3 python3-venv" >&2
    return 2
}

# The inputs of an installation. If its stamp differs or is missing, it is installed again.
python_recipe() { pwd; cat pyproject.toml constraints.txt; }
node_recipe() { cat dashboard/package-lock.json; }

is_installed() { # recipe stamp
    [[ -f $2 ]] && "$1" | cmp -s - "$2"
}

has_python() { # run|test
    is_installed python_recipe .venv/.made-for-test ||
        { [[ $1 == run ]] && is_installed python_recipe .venv/.made-for-run; }
}

# Packages to start and watch containers. TensorFlow, libp2p and the page are in the image.
launcher_needs=(base58 numpy platformdirs psutil rich trio typer)
launcher_recipe() { pwd; printf '%s\n' "${launcher_needs[@]}"; cat constraints.txt; }

set_up_launcher() {
    local venv=.cache/launcher
    if is_installed launcher_recipe $venv/.made; then return; fi
    say "Creating $venv/ with the packages that are needed to start containers"
    "$(find_python)" -m venv --clear $venv
    $venv/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt "${launcher_needs[@]}"
    launcher_recipe >$venv/.made
}

# Whether the run may use containers. The launcher decides, and prints the reason.
may_use_docker() { # argument...
    local argument
    for argument; do
        if [[ $argument == --no-docker ]]; then return 1; fi
        if [[ $argument == --docker ]]; then return 0; fi
    done
    command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1
}

# Starts a module of the launcher with the given environment.
launch() { # python module argument...
    export PYTHONPATH=$PWD
    exec "$1" -m "${@:2}"
}

has_node() { # run|test
    [[ ! -f dashboard/package-lock.json ]] ||
        is_installed node_recipe dashboard/node_modules/.made-for-test ||
        { [[ $1 == run ]] && is_installed node_recipe dashboard/node_modules/.made-for-run; }
}

install_python() { # run|test python
    local what='.' users='the peers and the dashboard'
    if [[ $1 == test ]]; then
        what='.[dev]' users='the peers, the dashboard and the tests'
    fi
    rm -f .venv/.made-for-*
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "Creating .venv/ with $2, so that nothing else on this machine changes"
        "$2" -m venv --clear .venv
    fi
    say "Installing the packages of $users into .venv/. This takes a few minutes, but only once: TensorFlow is large."
    .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e "$what"
    python_recipe >".venv/.made-for-$1"
}

install_node() { # run|test
    local -a omit=()
    if [[ $1 == run ]]; then omit=(--omit=dev); fi
    if ! command -v npm >/dev/null; then
        say "npm is not installed, so the page will lack its libraries. Install Node.js 18 or newer" \
            "(on Debian or Ubuntu: apt-get install nodejs npm), then run this again."
        return
    fi
    say "Installing the JavaScript libraries of the page into dashboard/node_modules/"
    (cd dashboard && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier ${omit[@]+"${omit[@]}"})
    node_recipe >"dashboard/node_modules/.made-for-$1"
}

set_up() { # run|test
    if has_python "$1" && has_node "$1"; then return; fi
    local python
    python=$(find_python)
    mkdir -p .cache
    exec 9>.cache/setup.lock
    if command -v flock >/dev/null && ! flock -n 9; then
        say "Waiting until another ./run.sh in this folder has finished its installation"
        flock 9
    fi
    if ! has_python "$1"; then
        pre/debian.sh "$1" "$python"
        install_python "$1" "$python"
    fi
    has_node "$1" || install_node "$1"
    exec 9>&-
}

failed=()
step() { # title command...
    say "$1"
    local status=0
    "${@:2}" || status=$?
    if ((status)); then failed+=("$1"); fi
}

finish() {
    if ((${#failed[@]})); then
        say "FAILED: $(printf '%s; ' "${failed[@]}")"
        exit 1
    fi
    say "All steps passed"
}

# Two files of tests run at once where deadlines are long or none. Tests of faults, of whole swarms and of the network
# run alone.
abreast=(-n 2 --dist loadfile)
patient=(tests/dashboard tests/learning tests/peer/ensemble tests/peer/processes tests/peer/search tests/simulation)

check() {
    local bin=.venv/bin
    step "ruff check" $bin/ruff check .
    step "ruff format" $bin/ruff format --check .
    step "mypy" $bin/mypy
    step "import contracts" $bin/lint-imports --no-cache
    step "types of the page" npm --prefix dashboard run --silent check
    step "fast tests" $bin/python -m pytest -q "${abreast[@]}" -m 'not slow and not network and not browser'
}

# If CI is starting an engine in the background (pre/engine.sh begin), wait for it and use it.
take_engine() {
    if [[ -z ${SWARM_ENGINE-} ]]; then return; fi
    if pre/engine.sh await "$SWARM_ENGINE"; then
        # shellcheck source=/dev/null
        source "$SWARM_ENGINE/environment"
        export SWARM_CONTAINERS=required
    else
        echo "CONTAINERS ARE IMPOSSIBLE HERE, for the reason above: tests use network namespaces only"
        export SWARM_CONTAINERS=impossible
    fi
}

# The image takes minutes to build and is needed last. So it is built while linters and fast tests leave a core free.
build_image() {
    take_engine
    if ! may_use_docker; then return; fi
    exec nice .venv/bin/python -m swarm.launch.docker_image
}

everything() {
    mkdir -p .cache
    build_image >.cache/image.log 2>&1 &
    local building=$!
    # shellcheck disable=SC2064 # this very process
    trap "kill $building 2>/dev/null || true" EXIT
    check
    local slow='(slow or network) and not browser and not containers'
    step "slow tests, two at a time" \
        .venv/bin/python -m pytest -v "${abreast[@]}" --durations=20 -m "$slow" "${patient[@]}"
    step "tests of swarms, faults and the network" \
        .venv/bin/python -m pytest -v --durations=20 -m "$slow" "${patient[@]/#/--ignore=}"
    step "the image for the containers" wait $building
    cat .cache/image.log
    take_engine >/dev/null
    step "tests with containers" .venv/bin/python -m pytest -v -rs --durations=10 -m containers
    step "tests in a real browser" .venv/bin/python -m pytest -v "${abreast[@]}" --durations=10 -m browser
}

case "${1-}" in
-h | --help)
    usage
    if has_python run; then
        exec .venv/bin/python -m swarm.launch --help
    fi
    echo "Run ./run.sh setup first, and this help will also list the options of a run."
    ;;
setup)
    set_up run
    ;;
check)
    set_up test
    check
    finish
    ;;
test)
    shift
    set_up test
    if (($#)); then
        exec .venv/bin/python -m pytest "$@"
    fi
    everything
    finish
    ;;
stop | status | logs | shell)
    if has_python run; then
        launch .venv/bin/python swarm.launch.control "$@"
    fi
    set_up_launcher
    launch .cache/launcher/bin/python swarm.launch.control "$@"
    ;;
*)
    if ! has_python run && may_use_docker "$@"; then
        set_up_launcher
        launch .cache/launcher/bin/python swarm.launch "$@"
    fi
    set_up run
    launch .venv/bin/python swarm.launch "$@"
    ;;
esac
