// cert-manager's controller as it is published, for scenarios with certificates. It is a module of ours because Go installs
// a published program only where it can ask which versions of it there are.
package main

import (
	"log"

	"github.com/cert-manager/cert-manager/cmd/controller/app"
)

func main() {
	if err := app.NewCommandStartCertManagerController(make(chan struct{})).Execute(); err != nil {
		log.Fatal(err)
	}
}
