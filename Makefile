# barid: everything a developer or a postmaster asks of the tree.
#
#   make run      build and start a demonstration server (nothing to configure)
#   make test     all tests, race detector included, no root, no network
#   make check    formatting, vet, staticcheck, vulnerabilities, all platforms
#   make interop  real mail clients against the built binary
#   make bench    the Go benchmarks of every package

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK ?= golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   := amd64 arm64 arm riscv64 mipsle
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD       := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
# The race detector needs a C compiler; without one the same tests run without it.
RACE        := $(shell command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 && echo -race)

.PHONY: build run test check interop bench fuzz clean

build:
	$(BUILD) -o bin/barid ./cmd/barid

run: build
	./bin/barid demo

test:
ifeq ($(RACE),)
	@echo "no C compiler found: testing without the race detector (install gcc to have it)"
endif
	$(GO) test $(RACE) ./...
	$(GO) test -run 'Alloc' ./...

check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... && $(GO) vet -tags interop ./internal/interop ./dnsres && $(GO) vet -tags poison ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	$(GO) test ./internal/tidy
	@for arch in $(PLATFORMS); do echo "build linux/$$arch"; \
	  GOOS=linux GOARCH=$$arch CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/barid || exit 1; done
	@mkdir -p bin; if $(GO) run $(GOVULNCHECK) -version >/dev/null 2>&1 && $(GO) run $(GOVULNCHECK) ./... >bin/govulncheck.log 2>&1; then \
	  echo "govulncheck: nothing found"; \
	elif grep -qi 'vulnerability #' bin/govulncheck.log 2>/dev/null; then cat bin/govulncheck.log; exit 1; \
	else echo "govulncheck: the vulnerability database is not reachable from here; not checked"; fi

interop:
	$(GO) test -count=1 -timeout 20m -tags interop ./internal/interop ./dnsres

bench:
	$(GO) test -run xxx -bench . -benchmem ./...

# FUZZTIME for each fuzz target in turn.
FUZZTIME ?= 10s
fuzz:
	@for f in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
	    echo "$$f $$target"; $(GO) test -run xxx -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; \
	done; done

clean:
	rm -rf bin
