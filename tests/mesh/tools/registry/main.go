// Command registry is a registry that lists referrers (OCI distribution specification 1.1), which Docker's does not yet.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() { log.Fatal(http.ListenAndServe(os.Args[1], registry.New(registry.WithReferrersSupport(true)))) }
