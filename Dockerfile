# Two images that hold one program and the certificates of authorities, and nothing
# else: no shell, no libraries. They are apart, so that nobody who runs the server for
# Envoy carries Caddy, and the other way round.
#
#   docker build --target clerkgate --tag clerkgate .
#   docker build --target caddy --tag clerkgate-caddy .
#
# internal/imagetest follows these lines and runs what comes of them.

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What Caddy writes to, for an image in which nobody can make a folder.
RUN mkdir -p /empty/data /empty/config
ARG TARGETOS
ARG TARGETARCH
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH

FROM source AS build-clerkgate
ARG VERSION
ARG REVISION
RUN go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.revision=$REVISION" -o /out/clerkgate ./cmd/clerkgate

FROM source AS build-caddy
RUN go build -trimpath -ldflags "-s -w" -o /out/caddy ./cmd/caddy

FROM scratch AS caddy
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=source --chown=65532:65532 /empty/ /
COPY --from=build-caddy /out/caddy /usr/bin/caddy
# The folders of Caddy's own image: certificates are kept below /data, so mount it.
ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config
USER 65532:65532
EXPOSE 80 443 443/udp 2019
ENTRYPOINT ["/usr/bin/caddy"]
CMD ["run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Caddy with clerkgate" \
      org.opencontainers.image.description="Caddy with authentication and authorization for apps that use Clerk" \
      org.opencontainers.image.url="https://github.com/clerkgate/clerkgate" \
      org.opencontainers.image.source="https://github.com/clerkgate/clerkgate" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# The last is what is built where no target is named.
FROM scratch AS clerkgate
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build-clerkgate /out/clerkgate /usr/bin/clerkgate
USER 65532:65532
# Checks by gRPC, forward auth, the session page and webhooks, health and metrics.
EXPOSE 9000 9001 9080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/bin/clerkgate", "health"]
ENTRYPOINT ["/usr/bin/clerkgate"]
# On all addresses, as the proxy and the probes are elsewhere.
CMD ["serve", "--config", "/etc/clerkgate/clerkgate.yaml", "--grpc", ":9000", "--admin", ":9090"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="clerkgate" \
      org.opencontainers.image.description="Authentication and authorization at the edge for apps that use Clerk" \
      org.opencontainers.image.url="https://github.com/clerkgate/clerkgate" \
      org.opencontainers.image.source="https://github.com/clerkgate/clerkgate" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
