# make run and make test need Go, a C compiler and make, and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
PYTHON ?= python3
# SQLite is C.
export CGO_ENABLED := 1

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
# A tag may have any sign of the shell in it, so recipes read these as variables of the shell.
export VERSION REVISION
LDFLAGS := -X iacontinu/cmd/internal/boot.version=$$VERSION -X iacontinu/cmd/internal/boot.revision=$$REVISION
COMMANDS := $(notdir $(patsubst %/main.go,%,$(wildcard cmd/*/main.go)))

TOOLS := $(CURDIR)/.tools
GOLANGCI := $(TOOLS)/golangci-lint-v2.15.0
ACTIONLINT := $(TOOLS)/actionlint-v1.7.12
GOVULNCHECK := $(TOOLS)/govulncheck-v1.9.0
GITLEAKS := $(TOOLS)/gitleaks-v8.30.1
CYCLONEDX := $(TOOLS)/cyclonedx-gomod-v1.10.0
GORELEASER := $(TOOLS)/goreleaser-v2.16.0
GRYPE := $(TOOLS)/grype-v0.121.3
GO_TOOLS := $(GOLANGCI) $(ACTIONLINT) $(GOVULNCHECK) $(GITLEAKS) $(CYCLONEDX) $(GORELEASER) $(GRYPE)
# Where known weaknesses are looked up; a mirror may be a file:// URL.
VULNDB ?= https://vuln.go.dev

AXE_VERSION := 4.14.1
AXE := $(CURDIR)/build/axe-$(AXE_VERSION)/node_modules/axe-core/axe.min.js

VENV := bench/.venv
VENV_PYTHON := $(CURDIR)/$(VENV)/bin/python

API_PORT ?= 8000
UI_PORT ?= 8501

##@ Use

.PHONY: run
run: build ## build, then run the whole platform in one process on this machine
	@echo
	@echo '  pages      http://127.0.0.1:$(UI_PORT)'
	@echo '  API        http://127.0.0.1:$(API_PORT)         (docs: /docs, metrics: /metrics)'
	@echo '  logins     admin / admin123   and   testuser / test123   (of a new data folder)'
	@echo '  data       ./data ./models ./logs              (stop with Ctrl-C)'
	@echo
	@IACONTINU_DEMO_USERS=true API_HOST=127.0.0.1 API_PORT=$(API_PORT) UI_HOST=127.0.0.1 UI_PORT=$(UI_PORT) exec bin/iacontinu up

.PHONY: build
build: ## compile every command into bin/
	@mkdir -p bin
	@echo 'building; the first time it compiles SQLite, which takes a few minutes'
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ $(addprefix ./cmd/,$(COMMANDS))

.PHONY: secrets
secrets: ## random passwords and keys for docker compose, in ./secrets; what is there stays
	@deploy/docker/secrets

.PHONY: images
images: ## the platform's container images of this commit
	@deploy/docker/build

.PHONY: images-again
images-again: ## are the images of this commit the same when they are built twice? needs docker
	@deploy/docker/again

.PHONY: images-arm64
images-arm64: ## the images' program for arm64, cross-compiled in docker and run here; needs docker and qemu-user-static
	@deploy/docker/arm64 build/arm64

.PHONY: clean
clean: ## remove what was built; data, models and logs stay
	rm -rf bin build $(TOOLS) $(VENV)

##@ Check

.PHONY: test
test: ## all tests that need no outside service
	@echo 'compiling with the race detector; the first time this takes some minutes before the first line'
	$(GO) test -race -shuffle=on ./...

.PHONY: e2e
e2e: $(AXE) ## the web pages in a real browser, with pictures in build/pages; needs chromium and npm
	@command -v chromium >/dev/null || { echo 'Chromium is needed (Debian: apt-get install chromium)'; exit 1; }
	@mkdir -p build/pages
	$(GO) test -tags integration -count 1 -run 'TestPages' ./internal/e2e -args -axe $(AXE) -screenshots $(CURDIR)/build/pages

$(AXE):
	@command -v npm >/dev/null || { echo 'npm is needed (Debian: apt-get install npm)'; exit 1; }
	npm install --silent --no-save --no-audit --no-fund --prefix build/axe-$(AXE_VERSION) axe-core@$(AXE_VERSION)

.PHONY: integration
integration: tracking monitoring e2e bluegreen ## tests against real servers and in a browser, about 13 minutes: the other four

.PHONY: tracking
tracking: ## tests against real MLflow and Prefect; needs python3-venv, postgresql and chromium
	@deploy/servers/tracking build/tracking

.PHONY: monitoring
monitoring: ## tests against real Prometheus, Alertmanager and Uptime Kuma; needs prometheus, prometheus-alertmanager, npm, libsqlite3-dev and chromium
	@deploy/servers/monitoring build/monitoring

.PHONY: compose-test
compose-test: ## docker-compose.yml on a real engine with SERVICES (all); where there is none one is made, on Debian as root
	@deploy/docker/compose-test build/compose $(SERVICES)

.PHONY: bluegreen
bluegreen: ## two colours of the API behind a real Caddy, switched under load; needs caddy
	@deploy/bluegreen/test build/bluegreen

.PHONY: nightly
nightly: compose-test bluegreen controlplane ## what .ci/run has no time for: all services of docker-compose.yml, blue and green, a control plane

.PHONY: check
check: format vet lint actionlint shape kubernetes rules benchmarks modules ## format, vet, linters, workflows, architecture, schema, Kubernetes, alert rules, benchmarks, modules

.PHONY: format
format: $(GOLANGCI) ## is every file formatted (gofumpt)? make fmt does it
	$(GOLANGCI) fmt --diff

.PHONY: fmt
fmt: $(GOLANGCI) ## format every file
	$(GOLANGCI) fmt

.PHONY: vet
vet: ## go vet
	$(GO) vet -tags integration ./...

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint
	$(GOLANGCI) run

.PHONY: actionlint
actionlint: $(ACTIONLINT) ## the workflows of GitHub Actions
	$(ACTIONLINT) -shellcheck= -pyflakes=

.PHONY: shape
shape: ## import rule, schema, compose file and dashboards
	$(GO) test ./internal/archtest ./migrations ./deploy/... ./grafana ./prometheus/...

.PHONY: kubernetes
kubernetes: ## the Kubernetes overlays, rendered and decoded by the types of its API
	cd deploy/kubernetes && $(GO) vet -tags integration ./... && $(GO) test ./...

.PHONY: controlplane
controlplane: ## the Kubernetes overlays on a real API server with its controllers; the first time it builds them, some 15 minutes
	@deploy/kubernetes/controlplane $(TOOLS)/controlplane

.PHONY: rules
rules: ## promtool and amtool, if they are installed, on the alert rules, their tests and the routes
	@prometheus/check

.PHONY: benchmarks
benchmarks: ## does every Go benchmark still run? once each, nothing is measured
	$(GO) test -run '^$$' -bench . -benchtime 1x $$(grep -rl --include='*_test.go' '^func Benchmark' internal cmd | xargs -n1 dirname | sort -u | sed 's|^|./|')

.PHONY: modules
modules: ## go.mod and go.sum are tidy and the modules are what they were
	$(GO) mod tidy -diff
	$(GO) mod verify
	cd deploy/kubernetes && $(GO) mod tidy -diff && $(GO) mod verify

##@ Ship

.PHONY: security
security: $(GOVULNCHECK) $(GITLEAKS) $(GOLANGCI) ## known weaknesses of what is called, gosec, secrets in files and history; needs https://vuln.go.dev
	$(GOLANGCI) run --enable-only gosec
	$(GITLEAKS) git --no-banner --redact .
	$(GITLEAKS) dir --no-banner --redact .
	$(GOVULNCHECK) -db $(VULNDB) ./...

.PHONY: sbom
sbom: $(CYCLONEDX) ## what each program is made of, with licences (CycloneDX), in build/sbom
	@mkdir -p build/sbom
	for name in $(COMMANDS); do $(CYCLONEDX) app -json -licenses -std -output build/sbom/$$name.cdx.json -main cmd/$$name .; done

.PHONY: scan
scan: $(GRYPE) ## known weaknesses in the images that Compose starts, after make images; needs docker and the network
	@deploy/docker/scan $(GRYPE)

.PHONY: release-check
release-check: $(GORELEASER) $(CYCLONEDX) ## the release's archives for amd64 and arm64, in build/dist, and nothing published; needs gcc-aarch64-linux-gnu
	CYCLONEDX=$(CYCLONEDX) $(GORELEASER) check
	CYCLONEDX=$(CYCLONEDX) $(GORELEASER) release --snapshot --clean

.PHONY: release
release: $(GORELEASER) $(CYCLONEDX) ## publish the release of the tag that is checked out, with what CHANGELOG.md says of it; needs GITHUB_TOKEN
	@mkdir -p build
	@version=$${VERSION#v} awk '/^## / { on = index($$2, "[" ENVIRON["version"] "]") == 1; next } on' CHANGELOG.md >build/release-notes.md
	@grep -q . build/release-notes.md || { echo "CHANGELOG.md says nothing of $$VERSION"; exit 1; }
	CYCLONEDX=$(CYCLONEDX) $(GORELEASER) release --clean --release-notes build/release-notes.md

.PHONY: publish
publish: ## push the images of the tag that is checked out to IACONTINU_IMAGES
	@deploy/docker/publish

.PHONY: deploy
deploy: ## bring the Kubernetes overlay OVERLAY to IMAGE=...@sha256:..., and back if it does not serve; needs kubectl
	@deploy/kubernetes/deploy "$$OVERLAY" "$$IMAGE"

# One file a version: another version is built when it is asked for, and only once.
$(GOLANGCI): PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(ACTIONLINT): PACKAGE = github.com/rhysd/actionlint/cmd/actionlint
$(GOVULNCHECK): PACKAGE = golang.org/x/vuln/cmd/govulncheck
$(GITLEAKS): PACKAGE = github.com/zricethezav/gitleaks/v8
$(CYCLONEDX): PACKAGE = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
$(GORELEASER): PACKAGE = github.com/goreleaser/goreleaser/v2
$(GRYPE): PACKAGE = github.com/anchore/grype/cmd/grype
$(GO_TOOLS): NAME = $(shell sed 's/-v[0-9.]*$$//' <<<'$(@F)')
$(GO_TOOLS):
	@mkdir -p $(TOOLS)/build
	GOBIN=$(TOOLS)/build $(GO) install $(PACKAGE)@$(@F:$(NAME)-%=%)
	@mv $(TOOLS)/build/$(NAME) $@

##@ Measure (bench/README.md)

.PHONY: bench
bench: bench-predict bench-training bench-generate bench-importcsv bench-retrain bench-lockwait bench-tracing bench-pages ## every comparison, as ratios of one run; about 15 minutes

.PHONY: bench-predict
bench-predict: build bench-venv bench-wrk ## /predict against FastAPI and a bare handler
	$(GO) run ./bench/predict -python $(VENV_PYTHON)

.PHONY: bench-training
bench-training: bench-venv ## the trainer against scikit-learn
	$(GO) run ./bench/training -python $(VENV_PYTHON)

.PHONY: bench-generate
bench-generate: bench-venv ## generated rows against Python's executemany
	$(GO) run ./bench/generate -python $(VENV_PYTHON)

.PHONY: bench-importcsv
bench-importcsv: bench-venv ## CSV import against pandas.read_csv
	$(GO) run ./bench/importcsv -python $(VENV_PYTHON)

.PHONY: bench-retrain
bench-retrain: build bench-venv ## /retrain on a million rows against sqlite3 and scikit-learn
	$(GO) run ./bench/retrain -python $(VENV_PYTHON)

.PHONY: bench-lockwait
bench-lockwait: ## delay of jobs while predictions are logged
	$(GO) run ./bench/lockwait

.PHONY: bench-tracing
bench-tracing: build bench-wrk ## what tracing costs /predict
	$(GO) run ./bench/tracing

.PHONY: bench-pages
bench-pages: build ## time to the first byte and weight of each web page, after 100,000 predictions and 5,000 events
	$(GO) run ./bench/pages

.PHONY: bench-quick
bench-quick: build bench-venv bench-wrk ## one short round of /predict
	$(GO) run ./bench/predict -python $(VENV_PYTHON) -rounds 1 -seconds 3 -servers up,fastapi,bare

.PHONY: bench-venv
bench-venv: $(VENV)/.installed

$(VENV)/.installed: bench/requirements.txt
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'Python 3 with venv is needed (Debian: apt-get install python3-venv)'; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

.PHONY: bench-wrk
bench-wrk:
	@command -v wrk >/dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends wrk; }

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
