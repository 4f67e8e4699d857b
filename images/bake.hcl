# All images from one base, named by digest: a tag can be moved, and a digest can't.
#
#   export BASE=docker.io/library/python@$(docker buildx imagetools inspect \
#     docker.io/library/python:3.11-slim-bookworm --format '{{.Manifest.Digest}}')
#   REGISTRY=registry.example.com COMMIT=$(git rev-parse HEAD) \
#     docker buildx bake -f images/bake.hcl --push
#
# Write the digest down where you build, and look it up anew when you want the base's updates.
# `docker buildx bake -f images/bake.hcl beam-worker` takes BEAM_SDK likewise, which is
# docker.io/apache/beam_python3.11_sdk:2.77.0. Needs buildx 0.19 or newer.

variable "REGISTRY" { default = "localhost" }
variable "COMMIT" { default = "unknown" }
variable "VERSION" { default = "0.1.0" }

# Python 3.11 to 3.13 with venv.
variable "BASE" {
  default = ""
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", BASE))
    error_message = "BASE: name the base image by digest, as the head of images/bake.hcl shows."
  }
}

# For beam-worker alone.
variable "BEAM_SDK" {
  default = "scratch"
  validation {
    condition     = BEAM_SDK == "scratch" || can(regex("@sha256:[0-9a-f]{64}$", BEAM_SDK))
    error_message = "BEAM_SDK: name Beam's image by digest, as the head of images/bake.hcl shows."
  }
}

group "default" {
  targets = ["image"]
}

target "image" {
  name       = dependencies
  matrix     = { dependencies = ["beam", "train", "train-gpu", "train-tpu", "lite"] }
  dockerfile = "images/Dockerfile"
  target     = "runtime"
  args       = { DEPENDENCIES = dependencies, COMMIT = COMMIT, VERSION = VERSION, BASE = BASE }
  tags       = ["${REGISTRY}/litesmith/${dependencies}:${VERSION}"]
}

target "beam-worker" {
  dockerfile = "images/Dockerfile"
  target     = "beam-worker"
  args = {
    DEPENDENCIES = "beam", COMMIT = COMMIT, VERSION = VERSION, BASE = BASE, BEAM_SDK = BEAM_SDK
  }
  tags = ["${REGISTRY}/litesmith/beam-worker:${VERSION}"]
}
