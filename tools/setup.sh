# Sourced by tools/test and tools/demo: packages and build. Leaves the shell in the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages="cmake gcc make pkg-config python3-venv pocl-opencl-icd ocl-icd-opencl-dev opencl-headers libpng-dev libjpeg-dev zlib1g-dev
libcjson-dev libcsv-dev libstb-dev libclblast-dev libopenblas-dev liblapacke-dev libcriterion-dev dataset-fashion-mnist oclgrind clang
libclang-rt-14-dev"

# Debian and its kin: installs what is missing. Elsewhere: the list, and the build says what it cannot find.
install_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "rheo needs what Debian calls:" $packages >&2
        return
    fi
    local missing=() p as=()
    for p in $packages; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "to be installed first: ${missing[*]}" >&2
            exit 1
        fi
        as=(sudo)
    fi
    echo "installing ${missing[*]}" >&2
    local log
    log=$(mktemp)
    if ! { "${as[@]}" apt-get -q update && "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install \
               "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    rm -f "$log"
}

build() {
    cmake -B build -S . "$@" >build.log 2>&1 && cmake --build build -j2 >>build.log 2>&1 || { cat build.log >&2; exit 1; }
    rm -f build.log
}
