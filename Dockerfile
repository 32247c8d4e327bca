# docker build --target api -t unmask-api .      docker build --target runner -t unmask-runner .
#         docker build --target runner-gpu -t unmask-runner-gpu .
FROM denoland/deno:debian-2.9.6 AS base
ENV UNMASK_DATA=/data UNMASK_HOST=0.0.0.0 UNMASK_PORT=8000 DENO_NO_UPDATE_CHECK=1
RUN install -d -o deno -g deno /app /data
WORKDIR /app
USER deno
COPY --chown=deno:deno deno.json deno.lock ./
COPY --chown=deno:deno main.ts ./
COPY --chown=deno:deno api api
COPY --chown=deno:deno cli cli
COPY --chown=deno:deno data data
COPY --chown=deno:deno jobs jobs
COPY --chown=deno:deno model model
RUN deno cache --frozen main.ts jobs/runner/runEntry.ts jobs/process/parentWatch.ts jobs/process/vectorEntry.ts api/inference/process.ts
VOLUME /data
STOPSIGNAL SIGTERM

FROM base AS api
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
  ["deno", "eval", "const r = await fetch('http://127.0.0.1:8000/healthz'); Deno.exit(r.ok ? 0 : 1)"]
CMD ["run", "-A", "--cached-only", "main.ts", "api"]

FROM base AS runner
# A runner does not listen on a port. It is healthy while its process runs and database and object storage respond.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD \
  ["deno", "run", "-A", "--cached-only", "main.ts", "health"]
CMD ["run", "-A", "--cached-only", "main.ts", "runner"]

# TensorFlow's native library with CUDA. The final image does not contain the build tools.
FROM base AS tensorflow
USER root
RUN apt-get update && apt-get install -y --no-install-recommends g++ python3 python3-pip
RUN UNMASK_TENSORFLOW=/opt/tensorflow PIP_NO_CACHE_DIR=1 deno task backend:tensorflow --gpu \
  && find /opt/tensorflow -name '*.map' -delete

# Run it with docker run --gpus all. The driver is the host's; the image contains the rest of CUDA.
FROM runner AS runner-gpu
COPY --chown=deno:deno --from=tensorflow /opt/tensorflow /opt/tensorflow
ENV UNMASK_TENSORFLOW=/opt/tensorflow NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
