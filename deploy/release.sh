#!/usr/bin/env bash
# Builds what a release consists of, into dist/: a binary for each platform, one
# CycloneDX SBOM for each, and SHA256SUMS over all of them.
#
#   deploy/release.sh            from a clean checkout of a tag
#
# The same checkout gives the same bytes anywhere: no paths of the machine, no
# C, the version and the time of the commit from git. To check a release, build it
# and compare SHA256SUMS.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-dist}
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

if [ -n "$(git status --porcelain)" ]; then
	echo "release: the checkout has changes: commit them, what is released is what is in git" >&2
	exit 1
fi
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
rm -rf "$out" && mkdir -p "$out"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/arm64 windows/amd64}; do
	os=${platform%/*} arch=${platform#*/}
	name=sheetbridge-$os-$arch
	[ "$os" != windows ] || name=$name.exe
	GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=true -ldflags="-s -w -buildid=" -o "$out/$name" ./cmd/sheetbridge
	if ! go version -m "$out/$name" | grep -q vcs.revision; then
		echo "release: git's revision is not in the binary: build from a clone, not from a worktree" >&2
		exit 1
	fi
	# It may not be there, or not be reached: a release without an SBOM is none.
	go run "$sbom" bin -json -noserial -output "$out/$name.cdx.json" "$out/$name"
done
# The time of the SBOM is that of the commit, so that it is the same anywhere.
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
sed -i -E "s/(\"timestamp\": \")[^\"]*/\\1$stamp/" "$out"/*.cdx.json
(cd "$out" && sha256sum -- * >SHA256SUMS)
cat "$out/SHA256SUMS"
