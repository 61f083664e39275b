#!/bin/sh
# slim.sh VENV: takes out of an environment what only those need who compile against it, or test it.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
rm -rf "$packages/tensorflow/include"
for library in h5py numpy scipy sklearn; do
    find "$packages/$library" -type d -name tests -prune -exec rm -rf {} +
done
