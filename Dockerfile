# SPDX-License-Identifier: Apache-2.0
#
# Both programs in one small image: culvert-edge, which it starts, and culvert.
#
#   docker build -t registry.example.com/culvert:$(cat VERSION) --build-arg VERSION=$(cat VERSION) \
#       --build-arg REVISION=$(git rev-parse HEAD) .
#   docker run --read-only --cap-drop ALL -p 8989:8989 -e CULVERT_CONFIG=/etc/culvert/edge.yaml -v …:/etc/culvert:ro …

FROM docker.io/library/swift:6.3.1-bookworm AS build
WORKDIR /source
# What the programs are built with beside Swift's own. Their newest state is the right one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libhiredis-dev libsqlite3-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
# The manifest alone first: the packages are fetched again only when it changes.
COPY Package.swift Package.resolved* ./
RUN swift package resolve
COPY Sources Sources
# SwiftPM wants to see the folders of all targets, also of those that are not built.
COPY Tests Tests
COPY Fuzz Fuzz
# What --version tells beside the version; a build of a clone without it works as well.
ARG REVISION=
RUN sed -i "s/\(static let revision = \)\"\"/\1\"$(printf %.12s "${REVISION}")\"/" Sources/Program/ProgramVersion.swift
RUN swift build --configuration release --static-swift-stdlib -Xlinker -s --product culvert-edge \
    && swift build --configuration release --static-swift-stdlib -Xlinker -s --product culvert \
    && mkdir /programs \
    && cp "$(swift build --configuration release --static-swift-stdlib --show-bin-path)/culvert-edge" \
        "$(swift build --configuration release --static-swift-stdlib --show-bin-path)/culvert" /programs/

FROM docker.io/library/debian:bookworm-slim
# The authorities that connectors trust, and the zones that log.timezone names. Their newest state is the right one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=build /programs/culvert-edge /programs/culvert /usr/local/bin/

ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="culvert-edge" \
    org.opencontainers.image.description="The server of Culvert, which gives local web servers a public URL" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"

# A number, so that Kubernetes can tell that it is not root. Nothing is written but standard output and error.
USER 65532:65532
WORKDIR /
EXPOSE 8989
# SIGTERM is what drains; it is the default, and said here so that it stays so.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["culvert-edge", "health", "--url", "http://127.0.0.1:8990/healthz"]
ENTRYPOINT ["culvert-edge"]
CMD ["serve"]
