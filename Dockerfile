# The platform's images, one a target: app, worker, random-check-flow, ui, iacontinu (the operator's commands, and all
# in one process); and mlflow-server, which is others' software from a lock. deploy/docker/build builds them the same
# twice. A program is linked statically and alone in its image.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG BUILDARCH TARGETARCH
# SQLite is C: for another architecture than the builder's it takes a compiler for that one.
RUN if [ "$TARGETARCH" = "$BUILDARCH" ]; then exit; fi; \
    case $TARGETARCH in amd64) gcc=x86-64-linux-gnu ;; arm64) gcc=aarch64-linux-gnu ;; *) echo "no compiler for $TARGETARCH" >&2; exit 1 ;; esac; \
    dpkg --status "gcc-$gcc" >/dev/null 2>&1 && exit; \
    apt-get -qq update && apt-get -qq install -y --no-install-recommends "gcc-$gcc" "libc6-dev-$TARGETARCH-cross"
WORKDIR /src
# A module proxy of your own: --build-arg GOPROXY=...; unset, Go's default is used.
ARG GOPROXY
ENV GOTOOLCHAIN=local CGO_ENABLED=1
COPY go.mod go.sum ./
RUN go mod download
COPY migrations ./migrations
COPY internal ./internal
COPY cmd ./cmd
COPY deploy/docker/sbom ./deploy/docker/sbom
# The repository is not copied, so the caller says what it builds.
ARG VERSION=dev
ARG REVISION
ARG GOCACHE
# What was compiled is kept between builds; another folder by --build-arg GOCACHE=... is not. Names come from Go's own resolver and files, time zones from the program.
RUN --mount=type=cache,target=/root/.cache/go-build \
    case $TARGETARCH in amd64) export CC=x86_64-linux-gnu-gcc ;; arm64) export CC=aarch64-linux-gnu-gcc ;; esac; \
    GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -o /out/bin/ \
    -tags netgo,osusergo,timetzdata,sqlite_omit_load_extension \
    -ldflags "-s -w -linkmode external -extldflags -static \
    -X iacontinu/cmd/internal/boot.version=${VERSION} -X iacontinu/cmd/internal/boot.revision=${REVISION}" ./cmd/... && \
    CC= go build -o /usr/local/bin/sbom ./deploy/docker/sbom
# A folder for each image, which is copied as it is, with its owners and the commit's time on every file; a new volume
# takes over the owner of its folder. The bill of materials has the C library too, which no linker notes.
ARG SOURCE_DATE_EPOCH=0
RUN case $TARGETARCH in "$BUILDARCH") libc=libc6-dev ;; *) libc=libc6-dev-$TARGETARCH-cross ;; esac; \
    libc=$(dpkg-query --show --showformat '${Version}' "$libc" | sed 's/+/%2B/g') && \
    for image in app:api worker:worker random-check-flow:flow ui:ui iacontinu:iacontinu; do \
      root=/out/${image%:*} && mkdir -p "$root/etc/ssl/certs" "$root/tmp" && chmod 1777 "$root/tmp" && \
      cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" && \
      install -d -o 10001 -g 10001 -m 0750 "$root/app/data" "$root/app/models" "$root/app/logs" && \
      ln "/out/bin/${image#*:}" "$root/app/" && \
      sbom "/out/bin/${image#*:}" "$VERSION" "pkg:deb/debian/glibc@$libc" >"$root/sbom.cdx.json" || exit; \
    done && install -d -o 65534 -g 65534 -m 0700 /out/iacontinu/app/kuma && \
    find /out -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +

FROM scratch AS base
ARG VERSION=dev
ARG REVISION
LABEL org.opencontainers.image.source="https://github.com/ia-continu/iacontinu" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      io.github.ia-continu.sbom="/sbom.cdx.json"
WORKDIR /app
USER 10001:10001

FROM base AS app
LABEL org.opencontainers.image.title="app" org.opencontainers.image.description="IA Continu: the REST API"
COPY --from=build /out/app/ /
VOLUME ["/app/data", "/app/models", "/app/logs"]
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/api", "--healthcheck"]
ENTRYPOINT ["/app/api"]

FROM base AS worker
LABEL org.opencontainers.image.title="worker" org.opencontainers.image.description="IA Continu: durable jobs"
COPY --from=build /out/worker/ /
VOLUME ["/app/data", "/app/models", "/app/logs"]
EXPOSE 8003
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/worker", "--healthcheck"]
ENTRYPOINT ["/app/worker"]

FROM base AS random-check-flow
LABEL org.opencontainers.image.title="random-check-flow" org.opencontainers.image.description="IA Continu: the periodic check"
COPY --from=build /out/random-check-flow/ /
VOLUME ["/app/data", "/app/models", "/app/logs"]
EXPOSE 8002
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/flow", "--healthcheck"]
ENTRYPOINT ["/app/flow"]

FROM base AS ui
LABEL org.opencontainers.image.title="ui" org.opencontainers.image.description="IA Continu: the web pages"
COPY --from=build /out/ui/ /
VOLUME ["/app/logs"]
EXPOSE 8501
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/ui", "--healthcheck"]
ENTRYPOINT ["/app/ui"]

FROM base AS iacontinu
LABEL org.opencontainers.image.title="iacontinu" org.opencontainers.image.description="IA Continu: the operator's commands, and everything in one process"
COPY --from=build /out/iacontinu/ /
VOLUME ["/app/data", "/app/models", "/app/logs"]
EXPOSE 8000 8501
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/app/iacontinu", "up", "--healthcheck"]
ENTRYPOINT ["/app/iacontinu"]
CMD ["up"]

# MLflow of the lock that the integration tests use. For another architecture than the builder's, wheels for that one are
# unpacked, and none of its programs is run.
FROM --platform=$BUILDPLATFORM python:3.11-slim AS mlflow
ARG BUILDARCH TARGETARCH
# An index of your own, or a folder of wheels: --build-arg PIP_INDEX_URL=..., PIP_FIND_LINKS=... with PIP_NO_INDEX=1.
ARG PIP_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST
COPY deploy/servers/mlflow.lock /tmp/
RUN case $TARGETARCH in "$BUILDARCH") ;; amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) echo "no wheels for $TARGETARCH" >&2; exit 1 ;; esac; \
    for wheels in ${machine:+manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014}; do set -- "$@" --platform "${wheels}_$machine"; done; \
    pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --requirement /tmp/mlflow.lock \
    --no-deps ${machine:+--only-binary :all: --python-version 3.11} "$@" --target /out/usr/local/lib/python3.11/site-packages && \
    install -d -o 10001 -g 10001 -m 0750 /out/mlflow

FROM python:3.11-slim AS mlflow-server
COPY --from=mlflow /out/ /
LABEL org.opencontainers.image.title="mlflow-server" org.opencontainers.image.description="MLflow's tracking server"
# Its job runner is eight processes of 230 MB that nothing here uses.
ENV HOME=/tmp MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /mlflow
USER 10001:10001
VOLUME /mlflow
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", \
    "--backend-store-uri", "sqlite:////mlflow/mlflow.db", "--serve-artifacts", "--artifacts-destination", "file:///mlflow/artifacts"]
