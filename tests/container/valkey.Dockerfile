# Valkey as the chart's trial has it, of Debian 13's package: no registry is asked for the real image.
FROM debian:trixie-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends valkey-server \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 999 -g 999 /data
CMD ["valkey-server"]
