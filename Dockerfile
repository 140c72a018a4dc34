# Modelgate, and with `--target nlp-server` the example model server. Needs BuildKit, which every Docker from 23.0 on uses,
# and earlier ones with DOCKER_BUILDKIT=1: the stages that are not asked for are not built.
#
#   docker build -t modelgate .
#
# builds from source in a stage of its own. Where that may reach no registry, build here and copy the outcome:
#
#   npm ci && npm run build && node scripts/image.mjs --out build-context
#   docker build -t modelgate --build-arg FILES=prepared build-context

# Any image will do that has a Node of version 20.19 or later, and neither a shell nor a package manager is needed. Names of
# registries other than Docker's work as well: BASE_IMAGE=gcr.io/distroless/nodejs24-debian12
ARG BASE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
# Where the files come from: `built` or `prepared`.
ARG FILES=built

FROM ${BUILD_IMAGE} AS built
# A mirror of npm's registry.
ARG NPM_REGISTRY=https://registry.npmjs.org/
WORKDIR /source
COPY . .
ENV TURBO_TELEMETRY_DISABLED=1
# No package that an image gets needs its install script.
RUN npm ci --ignore-scripts --registry "${NPM_REGISTRY}" \
  && npx turbo run build --output-logs=errors-only \
       --filter=@modelgate/http-server... --filter=@modelgate/example-nlp-server... \
  && node scripts/image.mjs --out /context

FROM scratch AS prepared
COPY image /context/image

FROM ${FILES} AS files

FROM ${BASE_IMAGE} AS base
# Distroless has Node at a place of its own.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/nodejs/bin NODE_ENV=production
WORKDIR /
STOPSIGNAL SIGTERM

FROM base AS nlp-server
COPY --from=files /context/image/nlp-server /app
COPY --from=files /context/image/health.mjs /app/health.mjs
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["node", "/app/health.mjs", "8000", "/readyz"]
ENTRYPOINT ["node", "/app/dist/main.js", "--host", "0.0.0.0", "--port", "8000"]
CMD []

FROM base AS modelgate
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Modelgate" \
  org.opencontainers.image.description="A gateway to model servers that loses no task." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# What changes seldom comes first, so that an update is small.
COPY --from=files /context/image/packages /app/node_modules
COPY --from=files /context/image/modelgate /app/node_modules/@modelgate
COPY --from=files /context/image/health.mjs /app/health.mjs
# A new volume takes over owner and mode of what it covers; `volume` holds the folder `data` alone.
COPY --from=files --chown=10001:10001 /context/image/volume /
# By number: who forbids root cannot tell by a name.
USER 10001:10001
ENV MODELGATE_HOST=0.0.0.0 MODELGATE_PORT=8888 MODELGATE_DATA_DIR=/data
VOLUME /data
EXPOSE 8888
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["node", "/app/health.mjs"]
# The command answers signals itself, as the first process too, and starts no other: there is no need of an init.
ENTRYPOINT ["node", "/app/node_modules/@modelgate/http-server/bin/modelgate.js"]
CMD ["serve"]
