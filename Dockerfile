# syntax=docker/dockerfile:1
# One image for every role; the command says which: `docker run IMAGE proxy --config FILE`.
#
# The image holds no PKCS#11 library: a role `hsm` in a container gets the vendor's mounted or in an
# image built FROM this one. Configuration, PIN file and state are mounted, never copied in.

FROM rust:1.95-bookworm AS build
# The image has the C compiler that aws-lc, blst and SQLite need; nothing else is installed.
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin dta \
 && install -D -m 0755 target/release/dta /out/dta

FROM debian:12-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /nonexistent --no-create-home \
            --shell /usr/sbin/nologin dta \
 && install -d -o dta -g dta -m 0700 /var/lib/dta /run/dta
COPY --from=build /out/dta /usr/bin/dta
USER 10001:10001
VOLUME ["/var/lib/dta"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/dta"]
CMD ["--help"]
