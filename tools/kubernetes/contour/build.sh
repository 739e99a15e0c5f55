#!/usr/bin/env bash
# build.sh <program> builds what prints Contour's configuration of Envoy. Contour's own
# packages for that are internal, so it is built inside a copy of the pinned module, which
# lacks one file: the translation of endpoints, which does not compile with the version of
# Kubernetes' libraries that the tools share, and which is not needed.
set -euo pipefail
cd "$(dirname "$0")"
program=$1
copy=../../../.cache/contour
source=$(cd ../crds && go mod download -json github.com/projectcontour/contour | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
rm -rf $copy
mkdir -p $copy/cmd/xds
cp -r "$source"/{go.mod,apis,internal,pkg} $copy
chmod -R u+w $copy
rm $copy/internal/xdscache/v3/endpointslicetranslator.go
cp _xds/main.go $copy/cmd/xds
go build -o "$program" github.com/projectcontour/contour/cmd/xds
