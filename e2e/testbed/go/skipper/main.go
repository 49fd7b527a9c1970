// An ingress controller for scenarios: Skipper as it is published. It is a module of ours because Go installs a
// published program only where it can ask which versions of it there are.
package main

import (
	"log"

	"github.com/zalando/skipper"
	"github.com/zalando/skipper/config"
)

func main() {
	settings := config.NewConfig()
	if err := settings.Parse(); err != nil {
		log.Fatal(err)
	}
	log.Fatal(skipper.Run(settings.ToOptions()))
}
