# One static binary, not root. Build: docker build -t paxosd .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ENV CGO_ENABLED=0 GOCACHE=/cache
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    go build -trimpath -buildvcs=auto -ldflags '-s -w' -o /out/usr/bin/paxosd ./cmd/paxosd && \
    mkdir -p /out/etc/paxosd /out/var/lib/paxosd && cp configs/*.yaml configs/*.conf /out/etc/paxosd/

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build --chown=nonroot:nonroot /out/ /
USER nonroot
# Relative data folders (data/a1) lie below it: mount a volume here, and give it to user 65532.
WORKDIR /var/lib/paxosd
VOLUME /var/lib/paxosd
# 4222: the broker of `paxosd dev` and `paxosd broker`. 7480: /metrics, /livez, /readyz, /status (set http.listen to :7480).
EXPOSE 4222 7480
ENTRYPOINT ["/usr/bin/paxosd"]
CMD ["--help"]
