# All commands of the platform in one image; compose chooses which one a container runs.
FROM golang:1.26-bookworm AS build
WORKDIR /src
# A module proxy of your own: --build-arg GOPROXY=...; unset, Go's default is used.
ARG GOPROXY
ENV GOTOOLCHAIN=local CGO_ENABLED=1
COPY go.mod go.sum ./
RUN go mod download
# SQLite is the slow part to compile and seldom changes: a layer of its own.
RUN go build -trimpath github.com/mattn/go-sqlite3
COPY migrations ./migrations
COPY internal ./internal
COPY cmd ./cmd
# The repository is not copied: --build-arg REVISION=$(git rev-parse HEAD) says in MLflow which commit trained.
ARG VERSION=dev
ARG REVISION
RUN mkdir /out && go build -trimpath -o /out/ -ldflags "-s -w -X iacontinu/cmd/internal/boot.version=${VERSION} \
    -X iacontinu/cmd/internal/boot.revision=${REVISION}" ./cmd/...

FROM debian:bookworm-slim
# Certificates for the webhook; nothing else is needed, so nothing is installed.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /app/
WORKDIR /app
# A new volume takes over the owner of these folders.
RUN install -d -o 10001 -g 10001 -m 0750 /app/data /app/models /app/logs && \
    install -d -o 65534 -g 65534 -m 0700 /app/kuma
USER 10001:10001
VOLUME ["/app/data", "/app/models", "/app/logs"]
EXPOSE 8000 8002 8003 8501
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/api", "--healthcheck"]
CMD ["/app/api"]
