#!/bin/sh
# slim.sh VENV: removes the files of an environment that are only needed to compile against it or to test it.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
rm -rf "$packages/tensorflow/include"
for library in h5py numpy scipy sklearn; do
    find "$packages/$library" -type d -name tests -prune -exec rm -rf {} +
done
