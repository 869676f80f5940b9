#!/usr/bin/env bash
# Makes the pictures of the README again, of the demo's data in a headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p deploy/pictures
go test ./cmd/sheetbridge -count=1 -run 'TestPictures$' -pictures "$PWD/deploy/pictures"
