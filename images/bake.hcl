# REGISTRY=registry.example.com COMMIT=$(git rev-parse HEAD) docker buildx bake -f images/bake.hcl --push

variable "REGISTRY" { default = "localhost" }
variable "COMMIT" { default = "unknown" }
variable "VERSION" { default = "0.1.0" }
variable "BASE" { default = "docker.io/library/python:3.11-slim-bookworm" }

group "default" {
  targets = ["image", "beam-worker"]
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
  args       = { DEPENDENCIES = "beam", COMMIT = COMMIT, VERSION = VERSION, BASE = BASE }
  tags       = ["${REGISTRY}/litesmith/beam-worker:${VERSION}"]
}
