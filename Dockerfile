# git 2.47 comes with trixie; the bundled Node packages are left out, since the image has its own.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional
COPY . .
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends git ca-certificates openssh-client gnupg && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE README.md ./
COPY bin bin
COPY schemas schemas
COPY example-config-repo example-config-repo
RUN ln -s /app/bin/actuator.cjs /usr/local/bin/actuator && mkdir /data && chown node /data
USER node
ENV ACTUATOR_DATA_DIR=/data
VOLUME /data
ENTRYPOINT ["actuator"]
CMD ["serve"]
