#!/usr/bin/env bash
# build.sh <program> builds what prints Envoy Gateway's configuration of Envoy. Its own
# packages for that are internal, so it is built inside a copy of the pinned module, in
# which one file stands in the place of two: they check manifests, and fill in defaults,
# by a library that compiles for minutes.
set -euo pipefail
cd "$(dirname "$0")"
program=$1
copy=../../../.cache/envoygateway
source=$(cd .. && go mod download -json github.com/envoyproxy/gateway | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
rm -rf $copy
mkdir -p $copy/cmd/xds $copy/charts/gateway-helm
cp -r "$source"/{go.mod,embed.go,api,internal,proto} $copy
cp -r "$source/charts/gateway-helm/charts" $copy/charts/gateway-helm
chmod -R u+w $copy
rm $copy/internal/gatewayapi/resource/{validator,defaulter,fs}.go
cp _copy/resource/schema.go $copy/internal/gatewayapi/resource
cp _copy/xds/main.go $copy/cmd/xds
go build -o "$program" github.com/envoyproxy/gateway/cmd/xds
